import { ENTRANCE_LANE } from '../../entities/functions/create-operations.js';
import type { SqlStatement } from '../../interfaces/sql.js';
import type { OperationMatch } from './operation-match.js';

/** All lanes of `pending`. The entrance has the operations whose table has no lane yet. */
export const LANES = `(select distinct lane from batch.lanes union all select ${ENTRANCE_LANE}::int2)`;

/** A filter whose target was looked up. */
export interface PreparedMatch extends Omit<OperationMatch, 'target' | 'reach'> {
  /** Only operations of these shapes. Absent: any. */
  shapes?: readonly number[];
}

/** A part of the sequence numbers that one statement examines. */
export interface Stretch {
  /** `descending`: newest first. */
  order: 'ascending' | 'descending';
  /** The sequence number after which it begins, in that order. */
  after: string;
  /** Operations beyond this sequence number are never examined. */
  last: string;
  /** It begins with the first candidate, and has this many sequence numbers. So gaps cost nothing. */
  width: number;
  /** Which rows it reads first: those of the status, or those of `operations`. */
  by: Way;
}

export type Way = 'status' | 'operations';

/**
 * The ways that find the matches, where more than one makes sense. The quicker one depends on what is rare: operations
 * of that status, or those that meet the conditions on the operation itself.
 */
export function waysOf(match: PreparedMatch): readonly Way[] {
  const { status, source, shapes, createdAfter, createdBefore } = match;
  if (isSmall(match) || status === 'any' || status === 'completed' || status === 'settled') return ['status'];
  const ofOperation = [source, shapes, createdAfter, createdBefore].some((field) => field !== undefined);
  return ofOperation ? ['status', 'operations'] : ['status'];
}

/** The values of a statement that is put together of parts. */
export class Values {
  readonly list: unknown[] = [];

  add(value: unknown, type: string): string {
    this.list.push(value);
    return `$${this.list.length}::${type}`;
  }
}

/** A set of sequence numbers that contains all matches of a filter, and an index that has them in order. */
interface Source {
  /** The candidates whose `seq` meets a condition. `edge`: only the first one in the order. */
  select: (condition: (seq: string) => string, edge: string, more?: string) => string;
  /** The conditions that all candidates meet already. */
  meets: readonly Condition[];
  /** The rows are those of `operations`, as `o`. So they need not be joined. */
  ofOperations?: boolean;
  /** It is small, and examined as a whole. */
  small?: boolean;
}

type Condition = 'status' | 'outcome' | 'shape' | 'ids';

const WIDE = 4e18;

/**
 * Two queries for a `with`: `head` has the first candidate of the stretch (as `seq`), and `matched` has the operations
 * that match, in order. Run it after `walkInOrder`: each part walks an index, and stops.
 */
export function matchedIn(match: PreparedMatch, stretch: Stretch, values: Values, limit?: number): string {
  const source = stretch.by === 'operations' ? OPERATIONS : sourceOf(match, values);
  const direction = stretch.order === 'descending' ? 'desc' : 'asc';
  const [after, last, width] = [
    values.add(stretch.after, 'int8'),
    values.add(stretch.last, 'int8'),
    values.add(String(source.small === true ? WIDE : stretch.width), 'int8'),
  ];
  const head = '(select seq from head)';
  const within = (seq: string): string =>
    direction === 'desc' ? `${seq} < ${after} and ${seq} >= ${last}` : `${seq} > ${after} and ${seq} <= ${last}`;
  const inStretch = (seq: string): string =>
    direction === 'desc'
      ? `${seq} <= ${head} and ${seq} > ${head} - ${width} and ${seq} >= ${last}`
      : `${seq} >= ${head} and ${seq} < ${head} + ${width} and ${seq} <= ${last}`;
  const conditions = conditionsOf(match, source, values);
  const all = conditions.map((condition) => `\n          and ${condition}`).join('');
  // For each candidate, its operation is looked up. Without new statistics, PostgreSQL might do it the other way round.
  const candidates =
    source.ofOperations === true || all === ''
      ? `(${source.select(inStretch, '', all)}) c`
      : `(${source.select(inStretch, '')}) c
        cross join lateral (select from batch.operations o where o.seq = c.seq${all} offset 0) o`;
  return `head as materialized (
        select seq from (${source.select(within, `order by seq ${direction} limit 1`)}) c order by seq ${direction} limit 1
      ),
      matched as materialized (
        select c.seq from ${candidates}
        order by c.seq ${direction}${limit === undefined ? '' : ` limit ${values.add(limit, 'int4')}`}
      )`;
}

/** Where the next stretch goes on. Null: there are no more candidates. */
export function nextOf({ order, last, width }: Stretch, values: Values, match: PreparedMatch): string {
  if (isSmall(match)) return 'null::text';
  const wide = values.add(String(width), 'int8');
  const end = values.add(last, 'int8');
  const next = order === 'descending' ? `head.seq - ${wide} + 1` : `head.seq + ${wide} - 1`;
  const more = order === 'descending' ? `> ${end}` : `< ${end}`;
  return `(select (${next})::text from head where ${next} ${more})`;
}

export interface MatchesRow {
  /** In order. */
  seqs: string[];
  next: string | null;
}

/** The first `limit` matches of the stretch. With fewer matches, the walk goes on at `next`. */
export function selectMatches(match: PreparedMatch, stretch: Stretch, limit: number): SqlStatement {
  const values = new Values();
  const text = `
      with ${matchedIn(match, stretch, values, limit)}
      select coalesce((select array_agg(seq::text) from matched), '{}') as seqs, ${nextOf(stretch, values, match)} as next`;
  return { text, values: values.list };
}

export interface CountRow {
  count: number;
  next: string | null;
}

export function countMatches(match: PreparedMatch, stretch: Stretch): SqlStatement {
  const values = new Values();
  const text = `
      with ${matchedIn(match, stretch, values)}
      select (select count(*)::int from matched) as count, ${nextOf(stretch, values, match)} as next`;
  return { text, values: values.list };
}

/** The shapes of operations on these tables. */
export function selectShapes({ target, reach }: Pick<OperationMatch, 'target' | 'reach'>): SqlStatement {
  return {
    text: `
      select s.id from batch.shapes s
      where ($1::text is null or s.target = $1)
        and ($2::text[] is null or s.target = any($2)
          or exists (select from unnest($3::text[]) prefix where starts_with(s.target, prefix)))`,
    values: [target ?? null, reach?.ids ?? null, reach?.prefixes ?? null],
  };
}

export interface BoundsRow {
  /** No match has a smaller sequence number. Null: unknown. */
  first: string | null;
  /** No match has a larger one. */
  last: string | null;
}

/** By how much the times of operations with neighbouring sequence numbers may be out of order. */
const SLACK = `interval '1 minute'`;
/** With more entries in the time, reading them costs more than it saves. */
const READ_ENTRIES = 20_000;

/**
 * Bounds the sequence numbers of matches by the times of the filter. An operation gets its number and its time at the
 * same moment, so the time is found by halving. What was settled in a short time is read.
 */
export function selectBounds(match: PreparedMatch): SqlStatement {
  const values = new Values();
  const { createdAfter, createdBefore, settledAfter, settledBefore } = match;
  const settled = [
    ...(settledAfter === undefined ? [] : [`settled_at >= ${values.add(settledAfter, 'timestamptz')}`]),
    ...(settledBefore === undefined ? [] : [`settled_at < ${values.add(settledBefore, 'timestamptz')}`]),
  ].join(' and ');
  const time = (value: string): string => values.add(value, 'timestamptz');
  const firsts = createdAfter === undefined ? [] : [firstCreated(`${time(createdAfter)} - ${SLACK}`)];
  // What was settled before a moment was created before it.
  const lasts = [createdBefore, settledBefore].flatMap((before) =>
    before === undefined ? [] : [firstCreated(`${time(before)} + ${SLACK}`)],
  );
  if (settled !== '') {
    firsts.push('(select first from settled)');
    lasts.push('(select last from settled)');
  }
  return {
    text: `
      with ${settled === '' ? 'settled as (select 1)' : settledBounds(settled, match)}
      select greatest(${[...firsts, 'null::int8'].join(', ')})::text as first, least(${[...lasts, 'null::int8'].join(', ')})::text as last`,
    values: values.list,
  };
}

/** The smallest sequence number whose operation was created at this time or later. */
function firstCreated(time: string): string {
  return `(
        with recursive halves(low, high) as (
          select (select min(seq) from batch.operations), (select max(seq) + 1 from batch.operations)
          union all
          select case when found.created_at < ${time} then found.seq + 1 else h.low end,
            case when found.created_at < ${time} then h.high else (h.low + h.high) / 2 end
          from halves h cross join lateral (
            select o.seq, o.created_at from batch.operations o where o.seq >= (h.low + h.high) / 2 order by o.seq limit 1
          ) found
          where h.low < h.high
        )
        select max(low) from halves
      )`;
}

/** Completed operations have their time in the chunk, all others in the outcome. */
function settledBounds(condition: string, { status }: PreparedMatch): string {
  const ofChunks = `
        select min(lower(seqs)) as first, max(upper(seqs)) as last, count(*) as entries
        from (select seqs from batch.chunks where ${condition} order by settled_at limit ${READ_ENTRIES + 1}) c`;
  const ofOutcomes = `
        select min(seq), max(seq), count(*)
        from (select seq from batch.outcomes where ${condition} order by settled_at limit ${READ_ENTRIES + 1}) x`;
  const parts = status === 'failed' || status === 'cancelled' ? [ofOutcomes] : [ofChunks, ofOutcomes];
  return `settled as materialized (
        select coalesce(min(first), 0) as first, coalesce(max(last), 0) as last from (${parts.join(' union all ')}) s(first, last, entries)
        having max(entries) <= ${READ_ENTRIES}
      )`;
}

const isSmall = ({ chunkId, ids }: PreparedMatch): boolean => chunkId !== undefined || ids !== undefined;

function sourceOf(match: PreparedMatch, values: Values): Source {
  if (match.ids !== undefined) return idsSource(values.add(match.ids, 'uuid[]'));
  if (match.chunkId !== undefined) return chunkSource(values.add(match.chunkId, 'int8'));
  switch (match.status) {
    case 'failed':
    case 'cancelled':
      return outcomesSource(match, match.status, values);
    case 'pending':
      return pendingSource(match, values);
    case 'scheduled':
      return delayedSource();
    case 'waiting':
      return bothOf(pendingSource({ status: 'pending' }, values), delayedSource());
    case 'any':
    case 'completed':
    case 'settled':
      return OPERATIONS;
    default:
      return match.status satisfies never;
  }
}

const OPERATIONS: Source = {
  select: (condition, edge, more = '') =>
    `select o.seq from batch.operations o where ${condition('o.seq')}${more} ${edge}`,
  meets: [],
  ofOperations: true,
};

const idsSource = (ids: string): Source => ({
  select: (condition) => `select seq from batch.operations where id = any(${ids}) and ${condition('seq')}`,
  meets: ['ids'],
  small: true,
});

/** A later chunk may have settled some of them again. The condition on the chunk decides. */
const chunkSource = (id: string): Source => ({
  select: (condition) => `
          select seq from batch.outcomes where chunk_id = ${id} and ${condition('seq')}
          union
          select o.seq from batch.chunks k cross join unnest(k.seqs) part(seqs)
          join batch.operations o on o.seq >= lower(part.seqs) and o.seq < upper(part.seqs)
          where k.id = ${id} and ${condition('o.seq')}`,
  meets: [],
  small: true,
});

function outcomesSource(match: PreparedMatch, status: 'failed' | 'cancelled', values: Values): Source {
  const conditions = [`x.status = '${status}'`, ...outcomeConditions(match, values)];
  return {
    select: (condition, edge) =>
      `select x.seq from batch.outcomes x where ${[...conditions, condition('x.seq')].join(' and ')} ${edge.replace('seq', 'x.seq')}`,
    meets: ['status', 'outcome'],
  };
}

function pendingSource(match: PreparedMatch, values: Values): Source {
  const shapes = shapeConditions(match, 'p.shape', values);
  return {
    select: (condition, edge) => `
          select p.seq from ${LANES} lane cross join generate_series(0, 9) priority(priority) cross join lateral (
            select p.seq from batch.pending p
            where p.lane = lane.lane and p.priority = priority.priority and ${[condition('p.seq'), ...shapes].join(' and ')} ${edge}
          ) p`,
    meets: ['status', 'shape'],
  };
}

const delayedSource = (): Source => ({
  select: (condition, edge) => `select seq from batch.delayed where ${condition('seq')} ${edge}`,
  meets: ['status'],
});

const bothOf = (one: Source, other: Source): Source => ({
  select: (condition, edge) => `(${one.select(condition, edge)}) union all (${other.select(condition, edge)})`,
  meets: ['status'],
});

/** The conditions that the candidates of the source need not meet, for a row `o` of `operations`. */
function conditionsOf(match: PreparedMatch, { meets }: Source, values: Values): string[] {
  const { source, createdAfter, createdBefore, ids, notErased } = match;
  const has = (condition: Condition): boolean => meets.includes(condition);
  return [
    ...(source === undefined ? [] : [`o.source = ${values.add(source, 'text')}`]),
    ...(createdAfter === undefined ? [] : [`o.created_at >= ${values.add(createdAfter, 'timestamptz')}`]),
    ...(createdBefore === undefined ? [] : [`o.created_at < ${values.add(createdBefore, 'timestamptz')}`]),
    ...(ids === undefined || has('ids') ? [] : [`o.id = any(${values.add(ids, 'uuid[]')})`]),
    ...(notErased === undefined ? [] : ['o.erased_at is null']),
    ...(has('shape') ? [] : shapeConditions(match, 'o.shape', values)),
    ...(has('status') ? [] : statusConditions(match)),
    ...(has('outcome') ? [] : resultConditions(match, values)),
  ];
}

const shapeConditions = ({ shapes }: PreparedMatch, shape: string, values: Values): string[] =>
  shapes === undefined ? [] : [`${shape} = any(${values.add(shapes, 'int4[]')})`];

const IS_PENDING =
  'exists (select from batch.pending p where p.lane = o.lane and p.priority = o.priority and p.seq = o.seq)';
const IS_SCHEDULED = 'exists (select from batch.delayed d where d.seq = o.seq)';

function statusConditions({ status }: PreparedMatch): string[] {
  switch (status) {
    case 'any':
      return [];
    case 'pending':
      return [IS_PENDING];
    case 'scheduled':
      return [IS_SCHEDULED];
    case 'waiting':
      return [`(${IS_PENDING} or ${IS_SCHEDULED})`];
    case 'failed':
    case 'cancelled':
      return [`exists (select from batch.outcomes x where x.seq = o.seq and x.status = '${status}')`];
    case 'settled':
      return [`not ${IS_PENDING}`, `not ${IS_SCHEDULED}`];
    case 'completed':
      return [
        `not ${IS_PENDING}`,
        `not ${IS_SCHEDULED}`,
        `not exists (select from batch.outcomes x where x.seq = o.seq and x.status <> 'completed')`,
      ];
    default:
      return status satisfies never;
  }
}

/** What the last chunk of an operation without an outcome says of it. By the index of `seqs`, whatever the statistics. */
const ofLastChunk = (column: string): string =>
  `(select (array_agg(k.${column} order by k.id desc))[1] from batch.chunks k where k.seqs @> o.seq)`;

function resultConditions(match: PreparedMatch, values: Values): string[] {
  const { status, code, chunkId, settledAfter, settledBefore } = match;
  if (status === 'scheduled') {
    if (code === undefined) return [];
    return [`exists (select from batch.delayed d where d.seq = o.seq and d.code = ${values.add(code, 'text')})`];
  }
  if (status === 'failed' || status === 'cancelled') {
    const conditions = [
      ...outcomeConditions(match, values),
      ...(chunkId === undefined ? [] : [`x.chunk_id = ${values.add(chunkId, 'int8')}`]),
    ];
    if (conditions.length === 0) return [];
    return [`exists (select from batch.outcomes x where x.seq = o.seq and ${conditions.join(' and ')})`];
  }
  const result = (column: string): string => `(
          select case when x.seq is not null then x.${column} else ${ofLastChunk(column === 'chunk_id' ? 'id' : column)} end
          from (values (1)) one left join batch.outcomes x on x.seq = o.seq)`;
  return [
    ...(chunkId === undefined ? [] : [`${result('chunk_id')} = ${values.add(chunkId, 'int8')}`]),
    ...(settledAfter === undefined ? [] : [`${result('settled_at')} >= ${values.add(settledAfter, 'timestamptz')}`]),
    ...(settledBefore === undefined ? [] : [`${result('settled_at')} < ${values.add(settledBefore, 'timestamptz')}`]),
  ];
}

/** For a row `x` of `outcomes`. */
function outcomeConditions({ code, constraint, settledAfter, settledBefore }: PreparedMatch, values: Values): string[] {
  return [
    ...(code === undefined ? [] : [`x.code = ${values.add(code, 'text')}`]),
    ...(constraint === undefined ? [] : [`x.constraint_name = ${values.add(constraint, 'text')}`]),
    ...(settledAfter === undefined ? [] : [`x.settled_at >= ${values.add(settledAfter, 'timestamptz')}`]),
    ...(settledBefore === undefined ? [] : [`x.settled_at < ${values.add(settledBefore, 'timestamptz')}`]),
  ];
}
