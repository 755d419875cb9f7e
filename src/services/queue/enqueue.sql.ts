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

/** A column of `operations`, with the same value for most operations that are stored together. */
interface Detail {
  column: string;
  type: string;
  of(operation: NewOperation): string | number | null;
}

const DETAILS: readonly Detail[] = [
  { column: 'priority', type: 'int2', of: ({ priority }) => priority },
  { column: 'run_at', type: 'timestamptz', of: ({ runAt }) => runAt },
  { column: 'source', type: 'text', of: ({ source }) => source },
  { column: 'retry_limit', type: 'int2', of: ({ retryLimit }) => retryLimit },
  { column: 'retry_on', type: 'text', of: ({ retryOn }) => retryOn?.join(' ') ?? null },
  { column: 'created_by', type: 'text', of: ({ createdBy }) => createdBy },
];
const DETAIL_COLUMNS = DETAILS.map(({ column }) => column).join(', ');
const LISTS = DETAILS.map(({ type }, index) => `$${index + 6}::${type}[]`).join(', ');
const SCALARS = DETAILS.map(({ column, type }, index) => `$${index + 6}::${type} as ${column}`).join(', ');

/** An array for each detail costs a tenth of the statement, so details that are the same for all are given once. */
const INPUTS = {
  common: `select s.*, ${SCALARS} from transaction, unnest($1::uuid[], $2::int4[], ${jsonTexts('$3')})
          with ordinality s(id, shape, "values", ord)`,
  mixed: `select s.* from transaction, unnest($1::uuid[], $2::int4[], ${jsonTexts('$3')}, ${LISTS})
          with ordinality s(id, shape, "values", ${DETAIL_COLUMNS}, ord)`,
} as const;

/**
 * Stores new operations, and puts those that are due into `pending`. It leaves out operations whose target is not
 * registered (see `registerLanes`), or is being moved to another lane: a move may take minutes, and operations on other
 * tables must not wait for it.
 *
 * @param shapes the id of the shape of each operation
 * @param options `repeats`: leaves out operations whose id is stored already. Without it the statement takes a seventh less time, and
 * fails when there is one.
 */
export function insertOperations(
  operations: readonly NewOperation[],
  shapes: readonly number[],
  { repeats }: { repeats: boolean },
): SqlStatement {
  const targets = new Set(operations.map(({ shape }) => shape.target));
  const input = haveSameDetails(operations) ? 'common' : 'mixed';
  return {
    name: `batch.insert_operations_${input}${repeats ? '_repeats' : ''}`,
    // The transaction id is drawn before any sequence number. The claim's hints rely on this (see claim-cursor.ts).
    text: `
      with transaction as materialized (select pg_current_xact_id()),
      input as (
        ${INPUTS[input]}
      ),
      -- Locked, so that no operation gets into a lane that its table leaves meanwhile: see moveTargets.
      l as materialized (
        select target, lane from batch.lanes where target = any($4::text[]) order by target for share skip locked
      ),
      -- Locked, so that retention does not delete the shape of an operation that it does not see yet.
      k as materialized (
        select id, target from batch.shapes where id = any($5::int4[]) order by id for key share skip locked
      ),
      o as (
        insert into batch.operations (id, shape, "values", priority, run_at, source, retry_limit, retry_on, created_by, lane)
        select input.id, input.shape, "values"::jsonb, priority, run_at, source, retry_limit,
          case when retry_on is not null then string_to_array(retry_on, ' ') end, created_by, l.lane
        from input join k on k.id = input.shape join l using (target) order by ord
        ${repeats ? 'on conflict (id) do nothing' : ''}
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
        array(select target from unnest($4::text[]) t(target) where target not in (select target from l)) as moving,
        array(select id from unnest($5::int4[]) s(id) where id not in (select id from k)) as missing
      from o`,
    values: [
      encodeTexts(operations.map(({ id }) => id)),
      shapes,
      joinJsonTexts(operations.map(({ row }) => row)),
      [...targets],
      [...new Set(shapes)],
      ...DETAILS.map(({ of }) => (input === 'common' ? of(operations[0]!) : operations.map(of))),
    ],
  };
}

function haveSameDetails([first, ...others]: readonly NewOperation[]): boolean {
  return first === undefined || DETAILS.every(({ of }) => others.every((operation) => of(operation) === of(first)));
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
