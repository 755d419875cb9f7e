import { sendAlong } from '../../batch/sql/send-along.js';
import type { SqlClient } from '../../interfaces/sql.js';
import { walkAsUsual, walkInOrder } from '../database/walk-in-order.js';
import { selectMatches, type MatchesRow } from '../outcomes/matching.sql.js';
import type { OperationMatch } from '../outcomes/operation-match.js';
import { firstStretch, prepareMatch, walkMatches } from '../outcomes/walk-matches.js';
import { lockReleases, wakeBehind } from '../queue/releases.sql.js';
import {
  cancelDelayed,
  cancelPending,
  eraseOperations,
  requeueOperations,
  selectPendingPlaces,
  tryLockLane,
  type CancelledRow,
  type RequeuedRow,
} from '../queue/requested-changes.sql.js';
import type { QueuedRow } from '../queue/settle.sql.js';
import { insertStep, recordProgress, type ActionRow } from './bulk-actions.sql.js';
import { toBulkMatch } from './check-bulk-request.js';

/** So many are changed in some hundredths of a second. Nobody waits longer for a lock of a step. */
export const OPERATIONS_PER_STEP = 1000;
/** A step that finds few matches ends after this time. */
const SEARCH_MS = 100;

export const LEASE_MS = 5000;

/** What a step has shown. */
export interface StepResult {
  changed: number;
  /** True when all operations were examined. */
  atEnd: boolean;
  /** True when some operations could not be changed yet, at any step of this pass. */
  again: boolean;
  /** True when a table is being moved to another lane. Nothing was changed. */
  moving: boolean;
  /** Pending operations whose lanes are busy. */
  busy: QueuedRow[];
}

/** What was done to the operations that a step has found. */
interface Changes extends Pick<StepResult, 'busy' | 'moving'> {
  changed: readonly string[];
  /** How many are left, and may still be changed. */
  left: number;
}

/**
 * Changes the next operations of an action. The changes, which operations they were, and how far the action has come are
 * stored together: all of it, or nothing. They come in the order of acceptance, so a retry keeps that order.
 */
export async function takeStep(tx: SqlClient, action: ActionRow): Promise<StepResult> {
  sendAlong(tx, walkInOrder());
  const { seqs, next } = await nextMatches(tx, action);
  const { changed, left, moving, busy } = await change(tx, action, seqs);
  const again = action.again || left > 0;
  if (moving) return { changed: 0, atEnd: false, again, moving, busy };
  const atEnd = next === undefined;
  const skipped = seqs.length - changed.length - left;
  // Where some operations are left, the next pass begins with the first one again.
  const beginsAgain = atEnd && again;
  const afterSeq = beginsAgain ? '0' : (next ?? action.lastSeq);
  await store(tx, action, changed, { afterSeq, skipped, again: again && !beginsAgain });
  return { changed: changed.length, atEnd, again, moving, busy };
}

/** Stores what was changed beside the walk, such as operations of a busy lane. */
export async function storeChanges(tx: SqlClient, action: ActionRow, changed: readonly string[]): Promise<void> {
  await store(tx, action, changed, { ...action, skipped: 0 });
}

async function store(
  tx: SqlClient,
  { seq }: ActionRow,
  changed: readonly string[],
  progress: { afterSeq: string; skipped: number; again: boolean },
): Promise<void> {
  if (changed.length > 0) await tx.query(insertStep(seq, changed));
  const { afterSeq, skipped, again } = progress;
  await tx.query(recordProgress(seq, { afterSeq, skipped, again, done: changed.length }, LEASE_MS));
}

async function nextMatches(tx: SqlClient, action: ActionRow): Promise<{ seqs: string[]; next: string | undefined }> {
  const { action: kind, filter, afterSeq, lastSeq, began } = action;
  const prepared = await prepareMatch(tx, matchOf(action));
  if (prepared === undefined) return { seqs: [], next: undefined };
  const seqs: string[] = [];
  const start = await firstStretch(tx, prepared, 'ascending', afterSeq, lastSeq);
  // An operation that fails once more while the action runs is not retried again.
  const { settledBefore = began } = filter;
  const earlier = Date.parse(settledBefore) < Date.parse(began) ? settledBefore : began;
  const match = kind === 'cancel' ? prepared : { ...prepared, settledBefore: earlier };
  const next = await walkMatches(match, start, SEARCH_MS, async (stretch) => {
    const limit = OPERATIONS_PER_STEP - seqs.length;
    const { rows } = await tx.query<MatchesRow>(selectMatches(match, stretch, limit));
    const { seqs: found, next: further } = rows[0]!;
    seqs.push(...found);
    return found.length === limit ? { stopAt: found.at(-1)! } : { next: further };
  });
  return { seqs, next };
}

function matchOf({ action, filter, reach }: ActionRow): OperationMatch {
  const match = toBulkMatch(action, filter, { targets: undefined });
  return { ...match, ...(reach !== null && { reach }) };
}

async function change(tx: SqlClient, { action }: ActionRow, seqs: readonly string[]): Promise<Changes> {
  const all = { left: 0, moving: false, busy: [] };
  if (seqs.length === 0) return { ...all, changed: [] };
  switch (action) {
    case 'retry': {
      const { moving, requeued } = (await tx.query<RequeuedRow>(requeueOperations(seqs, { wait: false }))).rows[0]!;
      // Others of the step may be on the same rows and must not overtake, so the whole step is undone.
      return { ...all, changed: requeued, moving };
    }
    case 'cancel':
      return cancel(tx, seqs);
    case 'erase': {
      const { rows } = await tx.query<{ erased: string[] }>(eraseOperations(seqs));
      return { ...all, changed: rows[0]!.erased };
    }
    default:
      return action satisfies never;
  }
}

/** Cancels scheduled operations, and pending ones in free lanes. All others are left for later. */
async function cancel(tx: SqlClient, seqs: readonly string[]): Promise<Changes> {
  const scheduled = await tx.query<CancelledRow>(cancelDelayed(seqs, { wait: false }));
  const { rows: places } = await tx.query<QueuedRow>(selectPendingPlaces(seqs));
  const changed = scheduled.rows.map(({ seq }) => seq);
  const busy: QueuedRow[] = [];
  for (const [lane, rows] of byLane(places)) {
    const { rows: locks } = await tx.query<{ held: boolean }>(tryLockLane(lane));
    if (locks[0]!.held) changed.push(...(await cancelInLane(tx, lane, rows)));
    else busy.push(...rows);
  }
  await wakeBehindKept(tx, scheduled.rows);
  return { changed, left: seqs.length - changed.length, moving: false, busy };
}

/** As a single cancel does it, see `RequestedChanges`. */
async function wakeBehindKept(tx: SqlClient, cancelled: readonly CancelledRow[]): Promise<void> {
  const rowKeys = cancelled.flatMap((row) => (row.kept ? (row.rowKeys ?? []) : []));
  if (rowKeys.length === 0) return;
  // The row keys are found by an index that can only be read as a bitmap.
  sendAlong(tx, walkAsUsual());
  await tx.query(lockReleases());
  await tx.query(wakeBehind(rowKeys));
  sendAlong(tx, walkInOrder());
}

/** Call it with the lock of the lane. */
export async function cancelInLane(tx: SqlClient, lane: number, rows: readonly QueuedRow[]): Promise<string[]> {
  const { rows: cancelled } = await tx.query<{ seq: string }>(cancelPending(lane, rows));
  return cancelled.map(({ seq }) => seq);
}

export function byLane(places: readonly QueuedRow[]): Map<number, QueuedRow[]> {
  const lanes = new Map<number, QueuedRow[]>();
  for (const place of places) lanes.set(place.lane, [...(lanes.get(place.lane) ?? []), place]);
  return lanes;
}
