import { LANE_LOCK } from '../../entities/lane-lock.js';
import { ENTRANCE_LANE, NOTIFY_CHANNEL } from '../../entities/functions/create-operations.js';
import type { IPauseRequest, PauseKind } from '../../interfaces/pause.js';
import type { SqlStatement } from '../../interfaces/sql.js';

export interface PauseRow {
  kind: PauseKind;
  name: string;
  drain: boolean;
  pausedAt: Date;
  by: string | null;
  reason: string | null;
}

const COLUMNS = 'kind, name, drain, paused_at as "pausedAt", paused_by as by, reason';

export function selectPauses(): SqlStatement {
  return { text: `select ${COLUMNS} from batch.pauses order by paused_at, kind, name` };
}

/** Returns the pause, and whether this statement has made or changed it. A pause that exists keeps its time. */
export function insertPause(
  { kind, name, reason, drain = false }: IPauseRequest,
  actor: string | undefined,
): SqlStatement {
  return {
    text: `
      with changed as (
        insert into batch.pauses as p (kind, name, drain, paused_by, reason) values ($1, $2, $3::boolean, $4, $5)
        on conflict (kind, name) do update set
          drain = excluded.drain, paused_by = excluded.paused_by, reason = coalesce(excluded.reason, p.reason)
        where p.drain <> excluded.drain or p.reason is distinct from coalesce(excluded.reason, p.reason)
        returning p.*
      )
      select ${COLUMNS}, true as changed from changed
      union all
      select ${COLUMNS}, false from batch.pauses where kind = $1 and name = $2 and not exists (select from changed)`,
    values: [kind, name, drain, actor ?? null, reason ?? null],
  };
}

/** Returns the pause that it has ended, or no row. */
export function deletePause(kind: PauseKind, name: string): SqlStatement {
  return {
    text: `delete from batch.pauses where kind = $1 and name = $2 returning ${COLUMNS}`,
    values: [kind, name],
  };
}

/** Wakes the workers when the transaction commits. */
export function notifyWorkers(): SqlStatement {
  return { text: `select pg_notify('${NOTIFY_CHANNEL}', '')` };
}

/** Whether there is such a table. */
export function selectTable(schema: string, name: string): SqlStatement {
  return {
    text: `
      select from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname = $1 and c.relname = $2 and c.relkind in ('r', 'p')`,
    values: [schema, name],
  };
}

/** The tables of callers, at most `limit`. */
export function selectTableNames(limit: number): SqlStatement {
  return {
    text: `
      select n.nspname as schema, c.relname as name
      from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where c.relkind in ('r', 'p') and n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'batch')
      order by 1, 2 limit $1::int`,
    values: [limit],
  };
}

/**
 * The transactions that may not know of a pause that was just committed. Of a drain: those that may have stored
 * operations; they lock `pending` before they look for drains. Of any other pause: those that hold a lane, because a
 * chunk looks for pauses after it has locked its lanes.
 *
 * @param among only these transactions
 */
export function selectUnaware(
  { kind, name, drain }: Pick<PauseRow, 'kind' | 'name' | 'drain'>,
  among?: readonly string[],
): SqlStatement {
  const which = among === undefined ? '' : 'and l.virtualtransaction = any($1::text[])';
  const from = `
      select array_agg(distinct l.virtualtransaction) as transactions from pg_locks l
      where l.granted and l.database = (select oid from pg_database where datname = current_database()) ${which}`;
  const values: unknown[] = among === undefined ? [] : [among];
  if (drain) {
    const writes = `l.locktype = 'relation' and l.relation = 'batch.pending'::regclass and l.mode = 'RowExclusiveLock'`;
    return { text: `${from} and ${writes}`, values };
  }
  const lanes = `${from} and l.locktype = 'advisory' and l.classid = ${LANE_LOCK} and l.objsubid = 2`;
  if (kind === 'source') return { text: lanes, values };
  const lane =
    kind === 'lane'
      ? `$${values.push(name)}::oid`
      : `(select lane::int::oid from batch.lanes where target = $${values.push(name)})`;
  return { text: `${lanes} and l.objid = ${lane}`, values };
}

/** What `countWaiting` returns, in one row. Either number is at most `limit`. */
export interface WaitingCountRow {
  waiting: number;
  /** Operations that were examined. If this is `examined`, there may be more. */
  examined: number;
}

/**
 * Counts the operations for which a pause matters: pending and delayed ones. It examines at most `examined` of each,
 * because a queue may have millions.
 */
export function countWaiting(kind: PauseKind, name: string, limit: number, examined: number): SqlStatement {
  return {
    text: `
      with seen as materialized (${PLACES[kind].join(' union all ')})
      select (select count(*)::int from (select from seen where ${MATCHES[kind]} limit $2::int) m) as waiting,
        (select count(*)::int from seen) as examined
      from (select $1::text) given`,
    values: [name, limit, examined],
  };
}

/**
 * The operations of each lane, from an index. Each index is walked in its order: PostgreSQL does not know which lane it
 * is, and would else read the whole table to find the few operations of a lane. With `=` in the second one, it could walk
 * the index that has no lane.
 */
const ofLanes = (lanes: string): string[] =>
  [
    `batch.pending p where p.lane = l.lane order by p.priority, p.seq`,
    `batch.delayed d where d.lane between l.lane and l.lane and d.reason = 'scheduled' order by d.lane, d.available_at, d.seq`,
    `batch.delayed d where d.lane between l.lane and l.lane and d.reason in ('retry', 'blocked', 'paused') order by d.lane`,
  ].map(
    (rows) => `
        select w.seq, w.shape from (${lanes}) l
        cross join lateral (select seq, shape from ${rows} limit $3::int) w`,
  );

/** Where such operations are: rows with `seq` and `shape`, at most `$3` of each lane. The name is `$1`. */
const PLACES: Readonly<Record<PauseKind, readonly string[]>> = {
  lane: ofLanes('select $1::text::int2 as lane'),
  target: ofLanes(`select l.lane from batch.lanes l where l.target = $1 union all select ${ENTRANCE_LANE}`),
  source: [
    `batch.delayed d where d.reason = 'paused' and d.paused_source = $1 order by d.seq`,
    'batch.pending',
    `batch.delayed d where d.reason = 'scheduled' order by d.available_at, d.seq`,
    `batch.delayed d where d.reason in ('retry', 'blocked') order by d.available_at, d.seq`,
  ].map((rows) => `(select seq, shape from ${rows} limit $3::int)`),
};

const MATCHES: Readonly<Record<PauseKind, string>> = {
  lane: 'true',
  target: 'seen.shape in (select s.id from batch.shapes s where s.target = $1)',
  // One look-up each. As a join, PostgreSQL might read all operations there ever were.
  source: '(select o.source from batch.operations o where o.seq = seen.seq) = $1',
};
