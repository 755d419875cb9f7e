import type { Verdict } from '../ledger.js';

/** An operation as it stands in the database. */
export interface StoredOperation {
  id: string;
  status: 'pending' | 'scheduled' | 'completed' | 'failed' | 'cancelled';
  /** Of a failed one. */
  code: Verdict | null;
  lane: number;
}

/** The target tables after the run. */
export interface Tables {
  counters: { key: string; hits: number; total: number }[];
  /** In the order in which they were written. */
  history: { key: string; n: number }[];
  latest: { key: string; n: number }[];
  profiles: { key: string; n: number }[];
  slots: { key: string; n: number }[];
  parents: { key: string }[];
  children: { key: string; parent: string }[];
}

/** An operation in a message that is still in a queue. */
export interface QueuedOperation {
  id: string;
  queue: string;
  /** The code and the reason. Undefined: it is not parked. */
  parkedFor: string | undefined;
}

/** What is found when everything has come to rest. */
export interface Observations {
  operations: StoredOperation[];
  queued: QueuedOperation[];
  tables: Tables;
  /** When each chunk was committed, by `Date.now()`, ascending. */
  chunksAt: number[];
  /** When each operation that came by RPC was stored, ascending. */
  rpcStoredAt: number[];
}
