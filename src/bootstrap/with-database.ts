import type { Settings } from '../services/config/settings.js';
import { DatabaseService } from '../services/database/database.service.js';
import { openDatabase } from './check-surroundings.js';
import { provideDatabase } from './embedded-database.js';

/** For a command: runs work on the service's database, embedded or not. `settings` are those in use. */
export async function withDatabase(
  given: Settings,
  work: (database: DatabaseService, settings: Settings) => Promise<void>,
  onAttempt: (line: string) => void,
): Promise<void> {
  const { settings, embedded } = await provideDatabase(given, () => undefined);
  try {
    // A person who types a command prefers an error to a wait.
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
