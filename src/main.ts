import { beginService } from './bootstrap/start-service.js';
import { superviseProcess } from './bootstrap/supervise-process.js';
import { readSettings } from './bootstrap/read-settings.js';
import { createLogger } from './services/observability/logger.js';

// `node dist/main.js [all|api|worker]`
const settings = readSettings(process.argv[2]);
const logger = createLogger(settings);
superviseProcess(beginService(settings, logger), logger, settings.shutdownTimeoutMs);
