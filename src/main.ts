import { superviseProcess } from './bootstrap/supervise-process.js';
import { watchEventLoop } from './bootstrap/watch-event-loop.js';
import { readSettings } from './bootstrap/read-settings.js';
import { createLogger } from './services/observability/logger.js';

// `node dist/main.js [all|api|worker]`. Settings are checked before the service is loaded, to report faults at once.
const settings = readSettings(process.argv.slice(2));
const logger = createLogger(settings);
if (settings.hangTimeoutMs > 0) {
  watchEventLoop(settings.hangTimeoutMs, (err) => logger.warn({ err }, 'The event loop is not watched'));
}
const { beginService } = await import('./bootstrap/start-service.js');
superviseProcess(beginService(settings, logger), logger, settings.shutdownTimeoutMs);
