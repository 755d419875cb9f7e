import type { SqlStatement } from '../../interfaces/sql.js';
import { conditionsOf, isSmall, OPERATIONS, sourceOf } from './match-candidates.sql.js';
import type { OperationMatch, PreparedMatch } from './operation-match.js';
import { Values } from './statement-values.js';

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
