import type { Blame } from '../../batch/isolate.js';
import { errorKind } from './sql-state.js';

const BLAME = { transient: 'abort', systemic: 'all', operation: 'item' } as const satisfies Record<string, Blame>;

/** How an error of PostgreSQL is to be read by whoever isolates. */
export const toBlame = (error: unknown): Blame => BLAME[errorKind(error)];
