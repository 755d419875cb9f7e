import { partySql } from '../backpressure/party.js';
import { encodeTexts, joinJsonTexts, jsonTexts } from '../database/encode-texts.js';
import type { SqlStatement } from '../database/sql.js';
import type { NewOperation } from './new-operation.js';

/** Of values that were stored a moment ago, and are not compressed yet. */
const SIZE_KB = `least(32767, 1 + pg_column_size(o."values") / 1024)::int2`;

const PARTY = partySql('o');

/** What `insertOperations` returns, in one row. */
export interface InsertedRow {
  /** The ids of new operations whose time has not come. */
  scheduled: readonly string[];
  /** The ids of the new operations. Null when all of them were new. */
  ids: readonly string[] | null;
  /** Targets whose operations were left out, because their tables have no lane or are being moved to another one. */
  moving: readonly string[];
  /** Shapes whose operations were left out, because retention has just deleted them. */
  missing: readonly number[];
}

/**
 * Stores new operations, and puts those that are due into `pending`. It leaves out operations whose target is not
 * registered (see `registerLanes`), or is being moved to another lane: a move may take minutes, and operations on other
 * tables must not wait for it.
 *
 * @param shapes the id of the shape of each operation
 */
export function insertOperations(operations: readonly NewOperation[], shapes: readonly number[]): SqlStatement {
  const column = <K extends keyof NewOperation>(name: K) => operations.map((operation) => operation[name]);
  const targets = new Set(operations.map(({ shape }) => shape.target));
  return {
    name: 'batch.insert_operations',
    // The transaction id is drawn before any sequence number. The claim's hints rely on this (see claim-cursor.ts).
    text: `
      with transaction as materialized (select pg_current_xact_id()),
      input as (
        select s.* from transaction, unnest(
          $1::uuid[], $2::int4[], ${jsonTexts('$3')}, $4::int2[], $5::timestamptz[], $6::text[], $7::int2[], $8::text[], $9::text[]
        ) with ordinality s(id, shape, "values", priority, run_at, source, retry_limit, retry_on, created_by, ord)
      ),
      -- Locked, so that no operation gets into a lane that its table leaves meanwhile: see moveTargets.
      l as materialized (
        select target, lane from batch.lanes where target = any($10::text[]) order by target for share skip locked
      ),
      -- Locked, so that retention does not delete the shape of an operation that it does not see yet.
      k as materialized (
        select id, target from batch.shapes where id = any($11::int4[]) order by id for key share skip locked
      ),
      o as (
        insert into batch.operations (id, shape, "values", priority, run_at, source, retry_limit, retry_on, created_by, lane)
        select input.id, input.shape, "values"::jsonb, priority, run_at, source, retry_limit,
          case when retry_on is not null then string_to_array(retry_on, ' ') end, created_by, l.lane
        from input join k on k.id = input.shape join l using (target) order by ord
        on conflict (id) do nothing
        returning seq, id, shape, "values", priority, run_at, lane, created_by, source
      ),
      queued as (
        insert into batch.pending (seq, priority, lane, shape, size_kb, party)
        select seq, priority, lane, shape, ${SIZE_KB}, ${PARTY} from o where run_at is null or run_at <= now()
      ),
      delayed as (
        insert into batch.delayed (seq, available_at, priority, lane, shape, size_kb, party)
        select seq, run_at, priority, lane, shape, ${SIZE_KB}, ${PARTY} from o where run_at > now()
      )
      select coalesce(array_agg(id) filter (where run_at > now()), '{}') as scheduled,
        case when count(*) < cardinality($1::uuid[]) then coalesce(array_agg(id), '{}') end as ids,
        array(select target from unnest($10::text[]) t(target) where target not in (select target from l)) as moving,
        array(select id from unnest($11::int4[]) s(id) where id not in (select id from k)) as missing
      from o`,
    values: [
      encodeTexts(column('id')),
      shapes,
      joinJsonTexts(column('row')),
      column('priority'),
      encodeTexts(column('runAt')),
      encodeTexts(column('source')),
      column('retryLimit'),
      encodeTexts(operations.map(({ retryOn }) => retryOn?.join(' ') ?? null)),
      encodeTexts(column('createdBy')),
      [...targets],
      [...new Set(shapes)],
    ],
  };
}

/** The operations that have these ids, as they were requested. */
export function selectRequests(ids: readonly string[]): SqlStatement {
  return {
    name: 'batch.select_requests',
    text: `
      select id, type, target, key::text, "values"::text, on_conflict as "onConflict", conflict_key as "conflictKey",
        must_exist as "mustExist", priority, run_at as "runAt", source, retry_limit as "retryLimit", retry_on as "retryOn",
        status
      from batch.batch_operations where id = any($1::uuid[])`,
    values: [ids],
  };
}
