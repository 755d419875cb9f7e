import type { SqlClient } from '../../interfaces/sql.js';
import { FIRST_PAGE } from './cursor.js';
import { selectBounds, type BoundsRow } from './match-bounds.sql.js';
import { selectShapes, type Stretch, type Way, waysOf } from './matching.sql.js';
import type { OperationMatch, PreparedMatch } from './operation-match.js';

/** Examined in some milliseconds, whatever the filter. */
const FIRST_WIDTH = 2000;
const LARGEST_WIDTH = 2 ** 50;

/** What a stretch has shown: the walk goes on at `next` (null: there is nothing more), or it stops. */
export type Step = { next: string | null } | { stopAt: string };

/** @returns undefined when no operation can match, because there is none on the target */
export async function prepareMatch(
  client: SqlClient,
  { target, reach, ...match }: OperationMatch,
): Promise<PreparedMatch | undefined> {
  if (target === undefined && reach === undefined) return match;
  const { rows } = await client.query<{ id: number }>(selectShapes({ target, reach }));
  return rows.length === 0 ? undefined : { ...match, shapes: rows.map(({ id }) => id) };
}

/**
 * @param after the sequence number after which the walk begins. Undefined: with the first match
 * @param last the sequence number with which it ends at the latest
 */
export async function firstStretch(
  client: SqlClient,
  match: PreparedMatch,
  order: Stretch['order'],
  after?: string,
  last?: string,
): Promise<Stretch> {
  const bounds = await boundsOf(client, match);
  const [low, high] = [bounds.first ?? '0', bounds.last ?? FIRST_PAGE];
  return order === 'descending'
    ? {
        order,
        after: smaller(after ?? FIRST_PAGE, above(high)),
        last: larger(last ?? '0', low),
        width: FIRST_WIDTH,
        by: 'status',
      }
    : {
        order,
        after: larger(after ?? '0', below(low)),
        last: smaller(last ?? FIRST_PAGE, high),
        width: FIRST_WIDTH,
        by: 'status',
      };
}

/**
 * Examines stretch after stretch, each twice as large, until there is nothing more, the work stops it, or the time is
 * over. Where there are several ways to find the matches, it tries each, and goes on with the quickest.
 *
 * @returns where to go on; undefined when there is nothing more
 */
export async function walkMatches(
  match: PreparedMatch,
  start: Stretch,
  forMs: number,
  work: (stretch: Stretch) => Promise<Step>,
): Promise<string | undefined> {
  const startedAt = performance.now();
  const untried = [...waysOf(match)];
  const tried: { by: Way; seqsPerMs: number }[] = [];
  let stretch = start;
  for (;;) {
    const by = untried.shift() ?? tried.reduce((best, way) => (way.seqsPerMs > best.seqsPerMs ? way : best)).by;
    stretch = { ...stretch, by };
    const begunAt = performance.now();
    const step = await work(stretch);
    if ('stopAt' in step) return step.stopAt;
    if (step.next === null) return undefined;
    const now = performance.now();
    if (now - startedAt >= forMs) return step.next;
    tried.push({ by, seqsPerMs: Math.abs(Number(BigInt(stretch.after) - BigInt(step.next))) / (now - begunAt) });
    stretch = { ...stretch, after: step.next, width: Math.min(stretch.width * 2, LARGEST_WIDTH) };
  }
}

async function boundsOf(client: SqlClient, match: PreparedMatch): Promise<BoundsRow> {
  const { createdAfter, createdBefore, settledAfter, settledBefore } = match;
  const hasTime = [createdAfter, createdBefore, settledAfter, settledBefore].some((time) => time !== undefined);
  if (!hasTime) return { first: null, last: null };
  return (await client.query<BoundsRow>(selectBounds(match))).rows[0]!;
}

const smaller = (one: string, other: string): string => (BigInt(one) < BigInt(other) ? one : other);
const larger = (one: string, other: string): string => (BigInt(one) > BigInt(other) ? one : other);
const above = (seq: string): string => (seq === FIRST_PAGE ? seq : String(BigInt(seq) + 1n));
const below = (seq: string): string => String(BigInt(seq) - 1n);
