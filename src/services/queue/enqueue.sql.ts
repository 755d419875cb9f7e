import { DETAIL_COLUMNS, selectDetails } from '../../entities/operation-details.js';
import { partySql } from '../backpressure/party.js';
import { encodeTexts, joinJsonTexts, jsonTexts } from '../../batch/sql/encode-texts.js';
import type { SqlStatement } from '../../interfaces/sql.js';
import type { Drain, NewOperation } from './new-operation.js';

/** The size of values that were just stored. They are not compressed yet. */
const SIZE_KB = `least(32767, 1 + pg_column_size(o."values") / 1024)::int2`;

const PARTY = partySql('o');

/** What `insertOperations` returns, in one row. */
export interface InsertedRow {
  /** The ids of new operations whose `runAt` is in the future. */
  scheduled: readonly string[];
  /** The ids of the new operations. Null when all operations were new. */
  ids: readonly string[] | null;
  /** Targets whose operations were not stored, because their tables have no lane or are being moved to another one. */
  moving: readonly string[];
  /** What is drained of the targets and sources, by target or by source. Operations on them were not stored. */
  drained: readonly DrainRow[] | null;
  /** Shapes that retention has just deleted. Their operations were not stored. */
  missing: readonly number[];
}

/** One of `target` and `source` is present. */
export interface DrainRow extends Drain {
  target: string | null;
  source: string | null;
}

/** A column of `operations` that has the same value for most operations that are stored together. */
interface SharedColumn {
  column: string;
  type: 'int2' | 'text' | 'timestamptz';
  /** The SQL that turns the parameter into the stored value. */
  stored: string;
  of: (operation: NewOperation) => string | number | null;
}

const SHARED: readonly SharedColumn[] = [
  ...DETAIL_COLUMNS.map(({ name, column, type }): SharedColumn => {
    if (type !== 'text[]') {
      return { column, type, stored: column, of: (operation) => operation[name] as string | number | null };
    }
    // PostgreSQL has no arrays of arrays of different lengths.
    const stored = `case when ${column} is not null then string_to_array(${column}, ' ') end`;
    return { column, type: 'text', stored, of: (operation) => (operation[name] as string[] | null)?.join(' ') ?? null };
  }),
  { column: 'created_by', type: 'text', stored: 'created_by', of: ({ createdBy }) => createdBy },
  { column: 'trace_context', type: 'text', stored: 'trace_context', of: ({ traceContext }) => traceContext ?? null },
];
const SHARED_COLUMNS = SHARED.map(({ column }) => column).join(', ');
const LISTS = SHARED.map(({ type }, index) => `$${index + 6}::${type}[]`).join(', ');
const SCALARS = SHARED.map(({ column, type }, index) => `$${index + 6}::${type} as ${column}`).join(', ');

/**
 * An array for each column costs a tenth of the statement's time. So a value that all operations share is sent once.
 */
const INPUTS = {
  common: `select s.*, ${SCALARS} from transaction, unnest($1::uuid[], $2::int4[], ${jsonTexts('$3')})
          with ordinality s(id, shape, "values", ord)`,
  mixed: `select s.* from transaction, unnest($1::uuid[], $2::int4[], ${jsonTexts('$3')}, ${LISTS})
          with ordinality s(id, shape, "values", ${SHARED_COLUMNS}, ord)`,
} as const;

/**
 * Stores new operations, and puts those that are due into `pending`. It does not store operations whose target is not
 * registered (see `registerLanes`) or is being moved to another lane. A move may take minutes, and operations on other
 * tables must not wait for it. It does not store what is drained. Whoever drains waits for the transactions that have
 * locked `pending`, and a statement locks its tables before it takes its snapshot.
 *
 * @param shapes the id of the shape of each operation
 * @param options `repeats`: skips operations whose id is already stored. Without it, such an id makes the statement
 *   fail, but the statement takes a seventh less time.
 */
export function insertOperations(
  operations: readonly NewOperation[],
  shapes: readonly number[],
  { repeats }: { repeats: boolean },
): SqlStatement {
  const targets = new Set(operations.map(({ shape }) => shape.target));
  const input = haveTheSame(operations) ? 'common' : 'mixed';
  return {
    name: `batch.insert_operations_${input}${repeats ? '_repeats' : ''}`,
    // The transaction id is drawn before any sequence number, because the watermarks of claims rely on this (see
    // claim-cursor.ts).
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
      drain as materialized (
        select p.kind, p.name, p.name as target, null as source from batch.pauses p
        where p.drain and p.kind = 'target' and p.name = any($4::text[])
        union all
        select p.kind, p.name, l.target, null from batch.pauses p join l on l.lane::text = p.name where p.drain and p.kind = 'lane'
        union all
        select p.kind, p.name, null, p.name from batch.pauses p where p.drain and p.kind = 'source'
      ),
      o as (
        insert into batch.operations (id, shape, "values", lane, ${SHARED_COLUMNS})
        select input.id, input.shape, "values"::jsonb, l.lane, ${SHARED.map(({ stored }) => stored).join(', ')}
        from input join k on k.id = input.shape join l using (target)
        where target <> all(array(select d.target from drain d where d.target is not null))
          and coalesce(source <> all(array(select d.source from drain d where d.source is not null)), true)
        order by ord
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
        (select json_agg(d) from drain d) as drained,
        array(select target from unnest($4::text[]) t(target) where target not in (select target from l)) as moving,
        array(select id from unnest($5::int4[]) s(id) where id not in (select id from k)) as missing
      from o`,
    values: [
      encodeTexts(operations.map(({ id }) => id)),
      shapes,
      joinJsonTexts(operations.map(({ row }) => row)),
      [...targets],
      [...new Set(shapes)],
      ...SHARED.map(({ of }) => (input === 'common' ? of(operations[0]!) : columnOf(operations, of))),
    ],
  };
}

/** Null when it is null for every operation. Then `unnest` returns nulls, and an array without values costs nothing. */
function columnOf(operations: readonly NewOperation[], of: SharedColumn['of']): (string | number | null)[] | null {
  const values = operations.map(of);
  return values.every((value) => value === null) ? null : values;
}

function haveTheSame([first, ...others]: readonly NewOperation[]): boolean {
  return first === undefined || SHARED.every(({ of }) => others.every((operation) => of(operation) === of(first)));
}

export function selectRequests(ids: readonly string[]): SqlStatement {
  return {
    name: 'batch.select_requests',
    text: `
      select id, type, target, key::text, "values"::text, on_conflict as "onConflict", conflict_key as "conflictKey",
        must_exist as "mustExist", ${selectDetails('v')}, status, erased_at is not null as erased
      from batch.batch_operations v where id = any($1::uuid[])`,
    values: [ids],
  };
}
