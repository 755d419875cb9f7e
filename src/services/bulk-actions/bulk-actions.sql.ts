import type { BulkActionKind, BulkActionStatus } from '../../interfaces/bulk-action.js';
import type { IOperationFilter } from '../../interfaces/operation-filter.js';
import type { SqlStatement } from '../../interfaces/sql.js';
import type { Reach } from '../outcomes/operation-match.js';

export interface ActionRow {
  seq: string;
  id: string;
  action: BulkActionKind;
  status: BulkActionStatus;
  filter: IOperationFilter;
  reach: Reach | null;
  matched: string;
  done: string;
  skipped: string;
  afterSeq: string;
  lastSeq: string;
  again: boolean;
  error: string | null;
  createdAt: Date;
  /** `createdAt` to the microsecond. */
  began: string;
  updatedAt: Date;
  endedAt: Date | null;
  createdBy: string | null;
}

const COLUMNS = `seq, id, action, status, filter, reach, matched, done, skipped, after_seq as "afterSeq", last_seq as "lastSeq", again,
        error, created_at as "createdAt", created_at::text as began, updated_at as "updatedAt", ended_at as "endedAt", created_by as "createdBy"`;

export interface NewAction {
  id: string;
  action: BulkActionKind;
  filter: IOperationFilter;
  reach: Reach | undefined;
  matched: number;
  createdBy: string | undefined;
  /** The process that begins to work on it. */
  leasedBy: string;
}

/** Returns no row when there is an action with this id already. */
export function insertAction(action: NewAction, leaseMs: number): SqlStatement {
  const { id, filter, reach, matched, createdBy, leasedBy } = action;
  return {
    text: `
      insert into batch.bulk_actions (id, action, filter, reach, matched, last_seq, created_by, leased_by, leased_until)
      values ($1::uuid, $2, $3::jsonb, $4::jsonb, $5, (select coalesce(max(seq), 0) from batch.operations), $6, $7::uuid,
        clock_timestamp() + $8::float8 * interval '1 ms')
      on conflict (id) do nothing
      returning ${COLUMNS}`,
    values: [
      ...[id, action.action, JSON.stringify(filter), reach === undefined ? null : JSON.stringify(reach), matched],
      ...[createdBy ?? null, leasedBy, leaseMs],
    ],
  };
}

/** @param by only actions of this caller. Undefined: of all */
export function selectActions(limit: number, before: string, by: string | undefined): SqlStatement {
  return {
    text: `
      select ${COLUMNS} from batch.bulk_actions
      where seq < $2::int8 and ($3::text is null or created_by = $3) order by seq desc limit $1::int`,
    values: [limit, before, by ?? null],
  };
}

export function selectAction(id: string): SqlStatement {
  return { text: `select ${COLUMNS} from batch.bulk_actions where id = $1::uuid`, values: [id] };
}

/** Locks the action until the end of the transaction, so only one process works on it. No row: it does not run any more. */
export function lockRunning(id: string): SqlStatement {
  return {
    text: `select ${COLUMNS} from batch.bulk_actions where id = $1::uuid and status = 'running' for update`,
    values: [id],
  };
}

/** Takes over the running action that has waited longest without a process. No row: there is none. */
export function leaseWaiting(leasedBy: string, leaseMs: number): SqlStatement {
  return {
    name: 'batch.lease_bulk_action',
    text: `
      update batch.bulk_actions
      set leased_by = $1::uuid, leased_until = clock_timestamp() + $2::float8 * interval '1 ms'
      where seq = (
        select seq from batch.bulk_actions
        where status = 'running' and leased_until <= clock_timestamp() order by leased_until limit 1 for update skip locked
      )
      returning ${COLUMNS}`,
    values: [leasedBy, leaseMs],
  };
}

/** Another process may take the action over after this time. */
export function releaseLease(id: string, leasedBy: string, afterMs: number): SqlStatement {
  return {
    text: `
      update batch.bulk_actions set leased_until = clock_timestamp() + $3::float8 * interval '1 ms'
      where id = $1::uuid and leased_by = $2::uuid and status = 'running'`,
    values: [id, leasedBy, afterMs],
  };
}

export interface Progress {
  afterSeq: string;
  done: number;
  skipped: number;
  again: boolean;
}

/** Stores how far a step has come, and prolongs the lease. At least as many matched as were found. */
export function recordProgress(
  seq: string,
  { afterSeq, done, skipped, again }: Progress,
  leaseMs: number,
): SqlStatement {
  return {
    text: `
      update batch.bulk_actions
      set after_seq = $2::int8, done = done + $3, skipped = skipped + $4, again = $5, failures = 0, error = null,
        matched = greatest(matched, done + $3 + skipped + $4), updated_at = now(),
        leased_until = clock_timestamp() + $6::float8 * interval '1 ms'
      where seq = $1::int8`,
    values: [seq, afterSeq, done, skipped, again, leaseMs],
  };
}

/** Which operations a step has changed. */
export function insertStep(seq: string, seqs: readonly string[]): SqlStatement {
  return {
    text: `
      insert into batch.bulk_steps (action, seqs)
      select $1::int8, range_agg(int8range(seq, seq + 1)) from unnest($2::int8[]) changed(seq)`,
    values: [seq, seqs],
  };
}

/** Ends a running action. What matched and was not found any more, something else has changed. No row: it did not run. */
export function endAction(id: string, status: Exclude<BulkActionStatus, 'running'>): SqlStatement {
  const skipped = status === 'completed' ? 'matched - done' : 'skipped';
  return {
    text: `
      update batch.bulk_actions set status = $2, skipped = ${skipped}, ended_at = now(), updated_at = now()
      where id = $1::uuid and status = 'running' returning ${COLUMNS}`,
    values: [id, status],
  };
}

/** Notes why a step did not succeed. After `most` such failures in a row the action has failed. */
export function recordFailure(id: string, message: string, most: number, retryMs: number): SqlStatement {
  return {
    text: `
      update batch.bulk_actions
      set failures = failures + 1, error = $2, updated_at = now(),
        status = case when failures + 1 >= $3::float8 then 'failed' else status end,
        ended_at = case when failures + 1 >= $3::float8 then now() end,
        leased_until = clock_timestamp() + $4::float8 * interval '1 ms'
      where id = $1::uuid and status = 'running' returning ${COLUMNS}`,
    values: [id, message, most, retryMs],
  };
}

/** Wakes the workers for operations that a command has put back, as `batch.create_operations` does. */
export function notifyWorkers(channel: string): SqlStatement {
  return { text: `select pg_notify($1, '')`, values: [channel] };
}
