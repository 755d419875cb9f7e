import { CHECK_REQUEST } from './check-request.js';
import { REFUSE } from './refuse.js';
import { CREATE_OPERATION, CREATE_OPERATIONS } from './create-operations.js';
import type { DatabaseFunction } from './database-function.js';
import { EXECUTE_PLAN } from './execute-plan.js';
import { OPERATION_CONTENTS } from './operation-contents.js';
import { OPERATION_ROWS } from './operation-rows.js';
import { REGISTER_SHAPE } from './register-shape.js';

/** All functions of schema `batch` that the service and callers in SQL use. */
export const DATABASE_FUNCTIONS: readonly DatabaseFunction[] = [
  OPERATION_ROWS,
  OPERATION_CONTENTS,
  EXECUTE_PLAN,
  REFUSE,
  CHECK_REQUEST,
  REGISTER_SHAPE,
  CREATE_OPERATIONS,
  CREATE_OPERATION,
];
