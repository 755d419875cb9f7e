import { provideDatabase } from './bootstrap/embedded-database.js';
import { readSettings } from './bootstrap/read-settings.js';
import { createDataSource, migrate } from './services/database/data-source.js';
import { createLogger } from './services/observability/logger.js';

// Runs the migrations that are missing, and ends: with 0, or with 1 and the reason. May run in several places at once.
const given = readSettings();
const logger = createLogger(given);
try {
  const { settings, embedded } = await provideDatabase(given, (line) => logger.info(line));
  try {
    const dataSource = await createDataSource(settings).initialize();
    const applied = await migrate(dataSource).finally(() => dataSource.destroy());
    logger.info(applied.length === 0 ? 'No migration was missing' : `Applied: ${applied.join(', ')}`);
  } finally {
    await embedded?.stop();
  }
} catch (error) {
  logger.fatal({ err: error }, 'The migrations were not applied');
  process.exitCode = 1;
}
