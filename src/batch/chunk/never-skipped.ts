import { BatchError, type BatchErrorCode } from '../model/batch-error.js';

/** They are not of one item: every other item would meet them too, and a step that skips all of them would be complete. */
const CODES: ReadonlySet<BatchErrorCode> = new Set<BatchErrorCode>([
  'NO_SUCH_TABLE',
  'NO_SUCH_COLUMN',
  'STATEMENT_REFUSED',
  'COPY_NOT_SUPPORTED',
  'PACKAGE_MISSING',
  'READER_BROKEN',
  'READER_KEY_INVALID',
  'INVALID_JOB_DEFINITION',
]);

/** Errors that no policy skips, however much it skips. */
export const isNeverSkipped = (error: unknown): boolean => error instanceof BatchError && CODES.has(error.code);
