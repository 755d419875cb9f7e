import type { Settings } from '../services/config/settings.js';
import { DatabaseService } from '../services/database/database.service.js';
import { openDatabase } from './check-surroundings.js';
import { provideDatabase } from './embedded-database.js';

/** For a command: work on the database of the service, the embedded one too. `settings` are those in use. */
export async function withDatabase(
  given: Settings,
  work: (database: DatabaseService, settings: Settings) => Promise<void>,
  onAttempt: (line: string) => void,
): Promise<void> {
  const { settings, embedded } = await provideDatabase(given, () => undefined);
  try {
    // Whoever types a command would rather be told than wait.
    const database = { ...settings.database, waitMs: 0 };
    const dataSource = await openDatabase({ ...settings, database }, { onAttempt });
    try {
      await work(new DatabaseService(dataSource), settings);
    } finally {
      await dataSource.destroy();
    }
  } finally {
    await embedded?.stop();
  }
}
