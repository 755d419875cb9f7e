import type { Blame } from '../../batch/chunk/isolate.js';
import { classifyFailure, type FailureKind } from './classify-failure.js';

const BLAME = {
  transient: 'abort',
  systemic: 'all',
  operation: 'item',
  unknown: 'unproven',
  bug: 'abort',
} as const satisfies Record<FailureKind, Blame>;

/** What an error of a statement means to code that isolates bad operations. */
export const classifyForIsolation = (error: unknown): Blame => BLAME[classifyFailure(error)];
