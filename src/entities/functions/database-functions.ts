import type { DatabaseFunction } from './database-function.js';
import { EXECUTE_PLAN } from './execute-plan.js';
import { OPERATION_CONTENTS } from './operation-contents.js';
import { OPERATION_ROWS } from './operation-rows.js';

/** All functions of schema `batch` that the service calls. */
export const DATABASE_FUNCTIONS: readonly DatabaseFunction[] = [OPERATION_ROWS, OPERATION_CONTENTS, EXECUTE_PLAN];
