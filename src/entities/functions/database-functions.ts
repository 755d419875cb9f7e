import { CHECK_REQUEST } from './check-request.js';
import { CREATE_OPERATION, CREATE_OPERATIONS } from './create-operations.js';
import type { DatabaseFunction } from './database-function.js';
import { ERASE_OPERATIONS } from './erase-operations.js';
import { EXECUTE_PLAN } from './execute-plan.js';
import { OPERATION_CONTENTS } from './operation-contents.js';
import { OPERATION_ROWS } from './operation-rows.js';
import { REFUSE } from './refuse.js';
import { CLOSED_LANES, LOCK_HOLDERS, WAITS_FOR, WHY_WAITING } from './why-waiting.js';
import { TARGET_HOLDERS } from './target-holders.js';
import { REGISTER_SHAPE, STORE_SHAPE } from './register-shape.js';

/** The functions of schema `batch` that the service calls. */
export const SERVICE_FUNCTIONS: readonly DatabaseFunction[] = [
  OPERATION_ROWS,
  OPERATION_CONTENTS,
  EXECUTE_PLAN,
  STORE_SHAPE,
  LOCK_HOLDERS,
  CLOSED_LANES,
  WHY_WAITING,
  ERASE_OPERATIONS,
];

/** Those for callers in SQL, and those that only other functions call. */
const CALLER_FUNCTIONS: readonly DatabaseFunction[] = [
  REFUSE,
  CHECK_REQUEST,
  REGISTER_SHAPE,
  CREATE_OPERATIONS,
  CREATE_OPERATION,
  TARGET_HOLDERS,
  WAITS_FOR,
];

/** All functions of schema `batch`. */
export const DATABASE_FUNCTIONS: readonly DatabaseFunction[] = [...SERVICE_FUNCTIONS, ...CALLER_FUNCTIONS];
