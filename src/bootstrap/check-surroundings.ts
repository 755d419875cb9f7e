import type { DataSource } from 'typeorm';
import type { Settings } from '../services/config/settings.js';
import { migrate } from '../services/database/migrate.js';
import { selectMissingRights } from '../services/database/runtime-rights.sql.js';
import { readSchemaState } from '../services/database/schema-state.js';
import { readServerVersion } from '../services/database/server-version.js';
import { selectDatabaseFacts, type DatabaseFacts } from '../services/database/session.sql.js';
import { awaitDatabase, type Waiting } from './await-database.js';
import { describeDatabase } from './describe-database.js';
import { portReason } from './explain-start-failure.js';
import { listenedPorts, tryPort } from './listened-ports.js';
import { StartError } from './start-error.js';

/** The first version with multiranges. */
const OLDEST_POSTGRES = 14;

/**
 * Checks before anything is started. Otherwise a process that cannot listen would take work first.
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
 * Checks whether the database accepts our login, is new enough, and has the schema for which this version was written.
 * Runs the migrations that are missing, if the settings say so: a role without the right to migrate may run the service
 * when none is missing.
 *
 * @returns warnings about what cannot be promised on this database
 * @throws StartError
 */
export async function prepareDatabase(
  settings: Settings,
  waiting: Waiting,
  log: (line: string) => void = () => undefined,
): Promise<string[]> {
  const dataSource = await openDatabase({ ...settings, database: { ...settings.database, poolSize: 1 } }, waiting);
  try {
    const { missing } = await readSchemaState(dataSource);
    if (missing.length > 0) {
      if (!settings.database.runMigrations) throw lacksMigrations(missing, settings);
      await migrate(settings, log);
    }
    await refuseTooFewRights(dataSource, settings);
    const [facts] = await dataSource.query<DatabaseFacts[]>(selectDatabaseFacts().text);
    return describeDatabase(facts!, settings);
  } finally {
    await dataSource.destroy();
  }
}

function lacksMigrations(missing: readonly string[], settings: Settings): StartError {
  return new StartError(
    `${placeOf(settings)} lacks migrations (${missing.join(', ')}): run \`node dist/migrate.js\` with the same settings first`,
  );
}

/**
 * A connection to a database that this version can work with. Its schema may still lack migrations.
 *
 * @throws StartError
 */
export async function openDatabase(settings: Settings, waiting: Waiting): Promise<DataSource> {
  const dataSource = await awaitDatabase(settings, waiting);
  try {
    await refuseOldServer(dataSource, settings);
    await refuseNewerSchema(dataSource, settings);
    return dataSource;
  } catch (error) {
    await dataSource.destroy();
    throw error;
  }
}

async function refuseTooFewRights(dataSource: DataSource, settings: Settings): Promise<void> {
  const { text, values } = selectMissingRights();
  const lacking = await dataSource.query<{ right: string }[]>(text, values);
  if (lacking.length === 0) return;
  throw new StartError(
    `${placeOf(settings)} does not grant the user "${settings.database.username}" what the service needs ` +
      `(${lacking.map(({ right }) => right).join(', ')}): run \`node dist/migrate.js\` with this DB_USERNAME and a ` +
      'DB_MIGRATION_USERNAME, or scripts/roles.sql if these roles do not exist yet',
  );
}

async function refuseOldServer(dataSource: DataSource, { database: { host, port } }: Settings): Promise<void> {
  const { major, text } = await readServerVersion(dataSource);
  if (major >= OLDEST_POSTGRES) return;
  throw new StartError(
    `PostgreSQL on ${host}:${port} is version ${text}: the service needs ${OLDEST_POSTGRES} or newer; upgrade the server`,
  );
}

async function refuseNewerSchema(dataSource: DataSource, settings: Settings): Promise<void> {
  const { unknown } = await readSchemaState(dataSource);
  if (unknown.length === 0) return;
  throw new StartError(
    `${placeOf(settings)} was migrated by a newer version of the service (${unknown.join(', ')}): start that version, ` +
      'or restore the database as it was before',
  );
}

const placeOf = ({ database: { host, port, name } }: Settings): string => `The database "${name}" on ${host}:${port}`;
