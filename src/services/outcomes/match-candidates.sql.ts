import { ENTRANCE_LANE } from '../../entities/functions/create-operations.js';
import type { PreparedMatch } from './operation-match.js';
import type { Values } from './statement-values.js';

/** All lanes of `pending`. The entrance has the operations whose table has no lane yet. */
export const LANES = `(select distinct lane from batch.lanes union all select ${ENTRANCE_LANE}::int2)`;

/** A set of sequence numbers that contains all matches of a filter, and an index that has them in order. */
export interface Source {
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

/** Its candidates are few. */
export const isSmall = ({ chunkId, ids }: PreparedMatch): boolean => chunkId !== undefined || ids !== undefined;

export function sourceOf(match: PreparedMatch, values: Values): Source {
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

export const OPERATIONS: Source = {
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
export function conditionsOf(match: PreparedMatch, { meets }: Source, values: Values): string[] {
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
