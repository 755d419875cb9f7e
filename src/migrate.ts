import { openDatabase } from './bootstrap/check-surroundings.js';
import { provideDatabase } from './bootstrap/embedded-database.js';
import { explainStartFailure } from './bootstrap/explain-start-failure.js';
import { readSettings } from './bootstrap/read-settings.js';
import { StartError } from './bootstrap/start-error.js';
import { migrate, withMigrationCredentials } from './services/database/migrate.js';
import { createLogger } from './services/observability/logger.js';

// Runs the migrations that are missing. Ends with 0, or with 1 and the reason. It may run in several places at once.
const given = readSettings();
const logger = createLogger(given);
try {
  const { settings, embedded } = await provideDatabase(given);
  const migrating = withMigrationCredentials(settings);
  try {
    const dataSource = await openDatabase(migrating, { onAttempt: (line) => logger.warn(line) });
    await dataSource.destroy();
    const applied = await migrate(settings, (line) => logger.info(line));
    logger.info(applied.length === 0 ? 'No migration was missing' : `Applied: ${applied.join(', ')}`);
  } catch (error) {
    throw explainStartFailure(error, migrating);
  } finally {
    await embedded?.stop();
  }
} catch (error) {
  if (error instanceof StartError) logger.fatal(`The migrations were not applied: ${error.message}`);
  else logger.fatal({ err: error }, 'The migrations were not applied');
  process.exitCode = 1;
}
