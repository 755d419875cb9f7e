import type { DatabaseFunction } from './database-function.js';
import { EXECUTE_PLAN } from './execute-plan.js';

/** All functions of schema `batch` that the service calls. */
export const DATABASE_FUNCTIONS: readonly DatabaseFunction[] = [EXECUTE_PLAN];
