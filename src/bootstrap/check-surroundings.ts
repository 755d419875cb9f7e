import type { DataSource } from 'typeorm';
import type { Settings } from '../services/config/settings.js';
import { createDataSource } from '../services/database/data-source.js';
import { missingMigrations } from '../services/database/missing-migrations.js';
import { databaseReason, portReason } from './explain-start-failure.js';
import { listenedPorts, tryPort } from './listened-ports.js';
import { StartError } from './start-error.js';

/**
 * Before anything is started: a process that will not be able to listen must not take work for the moment until it notices.
 *
 * @throws StartError
 */
export async function checkPorts(settings: Settings): Promise<void> {
  for (const place of listenedPorts(settings)) {
    await tryPort(place).catch((error: Error) => {
      throw new StartError(portReason(error, place), { cause: error });
    });
  }
}

/**
 * Whether the database lets us in, and has its migrations where the service is not to run them itself.
 *
 * @throws StartError
 */
export async function checkDatabase(settings: Settings): Promise<void> {
  const missing = await readMissingMigrations(settings);
  if (settings.database.runMigrations || missing.length === 0) return;
  const { host, port, name } = settings.database;
  throw new StartError(
    `The database "${name}" on ${host}:${port} lacks migrations (${missing.join(', ')}): ` +
      'run `node dist/migrate.js` with the same settings first',
  );
}

async function readMissingMigrations(settings: Settings): Promise<string[]> {
  const dataSource = await connectDatabase({ ...settings, database: { ...settings.database, poolSize: 1 } });
  try {
    return await missingMigrations(dataSource);
  } finally {
    await dataSource.destroy();
  }
}

/** @throws StartError */
export async function connectDatabase(settings: Settings): Promise<DataSource> {
  return createDataSource(settings)
    .initialize()
    .catch((error: Error) => {
      throw new StartError(databaseReason(error, settings.database), { cause: error });
    });
}
