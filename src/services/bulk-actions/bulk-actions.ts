import { setTimeout as wait } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { v7 as uuid } from 'uuid';
import type { AuditAct } from '../../interfaces/audit.js';
import type {
  BulkActionKind,
  IBulkAction,
  IBulkActionCount,
  IBulkActionRequest,
} from '../../interfaces/bulk-action.js';
import type { Json } from '../../interfaces/json.js';
import type { IPage } from '../../interfaces/operation.js';
import type { SqlClient } from '../../interfaces/sql.js';
import { sendAlong } from '../../batch/sql/send-along.js';
import { callerName, type Access } from '../access/access.js';
import { insertAudit, type NewAuditEntry } from '../audit/audit.sql.js';
import { classifyFailure, isLockNotAvailable } from '../database/classify-failure.js';
import { NoPlaceError } from '../database/places.js';
import type { RequestConnections } from '../database/request-connections.js';
import { walkInOrder } from '../database/walk-in-order.js';
import { cutText } from '../errors/cut-text.js';
import { messageOf } from '../errors/message-of.js';
import { ServiceError } from '../errors/service-error.js';
import { checkCursor, FIRST_PAGE } from '../outcomes/cursor.js';
import { countMatches, type CountRow } from '../outcomes/matching.sql.js';
import { firstStretch, prepareMatch, walkMatches } from '../outcomes/walk-matches.js';
import { lockLane } from '../queue/requested-changes.sql.js';
import type { QueuedRow } from '../queue/settle.sql.js';
import {
  endAction,
  insertAction,
  leaseWaiting,
  lockRunning,
  recordFailure,
  releaseLease,
  selectAction,
  selectActions,
  type ActionRow,
} from './bulk-actions.sql.js';
import { byLane, cancelInLane, LEASE_MS, storeChanges, takeStep, type StepResult } from './bulk-step.js';
import { checkBulkRequest, toBulkMatch } from './check-bulk-request.js';

const DEFAULT_LIMIT = 100;
/** How long a dry run, or a request that expects a number, may count. */
const COUNT_MS = 5000;
/** How long a request counts that only shows its progress. */
const QUICK_COUNT_MS = 300;
/** The pause where other sessions hold what a step needs. */
const BUSY_MS = 100;
const RETRY_MS = 1000;
/** After so many failures in a row that are not transient, an action has failed. */
const MOST_FAILURES = 5;

/** What a step has changed, for those who must be told. */
export type OnChanged = (action: BulkActionKind, operations: number) => Promise<void> | void;

/**
 * Retries, cancels and erases all operations that match a filter. An action is stored when it begins, and done in steps.
 * It promises that each step is done once, whatever process dies: the next process goes on behind the last step that was
 * committed. It leaves to its owner when to work, and whom to wake.
 */
export class BulkActions {
  /** Distinguishes this process from the others that may work on an action. */
  private readonly identity = uuid();

  constructor(
    private readonly requests: RequestConnections,
    private readonly onChanged: OnChanged,
  ) {}

  /**
   * Counts the matching operations, or begins the action.
   *
   * @throws ServiceError INVALID_REQUEST, INVALID_ID, COUNT_CHANGED
   */
  async request(
    action: BulkActionKind,
    body: unknown,
    access: Access,
    actor = callerName(access),
  ): Promise<IBulkActionCount | IBulkAction> {
    const request = checkBulkRequest(action, body);
    const { id, filter, dryRun, expected } = request;
    toBulkMatch(action, filter, access);
    // Its answer was lost, and the operations that it has changed match no more.
    const known = id === undefined || dryRun === true ? undefined : await this.findRow(id);
    if (known !== undefined) return toRepeat(known, action, filter, access);
    const counted = await this.count(action, request, access);
    if (expected !== undefined && !(counted.exact && counted.matched === expected))
      throw countChanged(expected, counted);
    if (dryRun === true) return { dryRun, action, ...counted };
    return this.begin(action, request, access, counted.matched, actor);
  }

  /**
   * Works on an action until it ends, the time is over, or the signal comes. Then any process may go on.
   *
   * @returns the action as it is then
   */
  async work(id: string, forMs: number, signal?: AbortSignal): Promise<IBulkAction> {
    const until = performance.now() + forMs;
    while (performance.now() < until && signal?.aborted !== true) {
      const pauseMs = await this.tryStep(id, until);
      if (pauseMs === 'ended') return this.find(id);
      if (pauseMs > 0) await wait(Math.min(pauseMs, Math.max(0, until - performance.now())));
    }
    await this.requests.query(releaseLease(id, this.identity, 0));
    return this.find(id);
  }

  /** Takes over an action without a process. Undefined: there is none. */
  async lease(): Promise<string | undefined> {
    const { rows } = await this.requests.query<ActionRow>(leaseWaiting(this.identity, LEASE_MS));
    return rows[0]?.id;
  }

  /** @throws ServiceError BULK_ACTION_NOT_FOUND */
  async get(id: string, access: Access): Promise<IBulkAction> {
    const action = await this.find(id);
    if (isVisible(action, access)) return action;
    throw notFound(id);
  }

  /** @throws ServiceError INVALID_REQUEST */
  async list(
    { limit = DEFAULT_LIMIT, cursor }: { limit?: number; cursor?: string },
    access: Access,
  ): Promise<IPage<IBulkAction>> {
    const before = checkCursor(cursor) ?? FIRST_PAGE;
    // A caller that is limited to some targets and that has no name sees none.
    const by = access.targets === undefined ? undefined : (callerName(access) ?? '');
    const { rows } = await this.requests.query<ActionRow>(selectActions(limit, before, by));
    const nextCursor = rows.length === limit ? rows.at(-1)?.seq : undefined;
    return { items: rows.map(toAction), ...(nextCursor !== undefined && { nextCursor }) };
  }

  /**
   * Stops an action after its running step.
   *
   * @throws ServiceError BULK_ACTION_NOT_FOUND, BULK_ACTION_ENDED
   */
  async stop(id: string, access: Access, actor = callerName(access)): Promise<IBulkAction> {
    await this.get(id, access);
    const stopped = await this.requests.transaction(async (tx) => {
      const { rows } = await tx.query<ActionRow>(endAction(id, 'stopped'));
      if (rows[0] !== undefined) await tx.query(insertAudit([entryOf(rows[0], 'stop', actor)]));
      return rows[0];
    });
    if (stopped !== undefined) return toAction(stopped);
    const { status } = await this.find(id);
    throw new ServiceError('BULK_ACTION_ENDED', `Bulk action ${id} is ${status}; only a running one can be stopped`, {
      status,
    });
  }

  private count(
    action: BulkActionKind,
    { filter, dryRun, expected }: IBulkActionRequest,
    access: Access,
  ): Promise<{ matched: number; exact: boolean }> {
    const forMs = dryRun === true || expected !== undefined ? COUNT_MS : QUICK_COUNT_MS;
    return this.requests.transaction(async (tx) => {
      sendAlong(tx, walkInOrder());
      const match = await prepareMatch(tx, toBulkMatch(action, filter, access));
      if (match === undefined) return { matched: 0, exact: true };
      let matched = 0;
      const next = await walkMatches(match, await firstStretch(tx, match, 'ascending'), forMs, async (stretch) => {
        const { count, next: further } = (await tx.query<CountRow>(countMatches(match, stretch))).rows[0]!;
        matched += count;
        return { next: further };
      });
      return { matched, exact: next === undefined };
    });
  }

  private async begin(
    action: BulkActionKind,
    { id = uuid(), filter }: IBulkActionRequest,
    access: Access,
    matched: number,
    createdBy: string | undefined,
  ): Promise<IBulkAction> {
    const reach = access.targets?.patterns;
    const begun = await this.requests.transaction(async (tx) => {
      const given = { id, action, filter, reach, matched, createdBy, leasedBy: this.identity };
      const { rows } = await tx.query<ActionRow>(insertAction(given, LEASE_MS));
      if (rows[0] !== undefined) await tx.query(insertAudit([entryOf(rows[0], action, createdBy)]));
      return rows[0];
    });
    if (begun !== undefined) return toAction(begun);
    // Another request with this id came first.
    return toRepeat((await this.findRow(id))!, action, filter, access);
  }

  private async tryStep(id: string, until: number): Promise<number | 'ended'> {
    try {
      return await this.step(id, until);
    } catch (error) {
      const isTransient =
        isLockNotAvailable(error) || error instanceof NoPlaceError || classifyFailure(error) === 'transient';
      const most = isTransient ? Infinity : MOST_FAILURES;
      const { rows } = await this.requests.transaction(async (tx) => {
        const failed = await tx.query<ActionRow>(recordFailure(id, cutText(messageOf(error)), most, RETRY_MS));
        const [row] = failed.rows;
        if (row?.status === 'failed')
          await tx.query(insertAudit([entryOf(row, row.action, row.createdBy ?? undefined)]));
        return failed;
      });
      return rows[0]?.status === 'running' ? RETRY_MS : 'ended';
    }
  }

  /**
   * @param until on the clock of `performance.now()`: after it, nothing waits for a busy lane
   * @returns how long to wait before the next step
   */
  private async step(id: string, until: number): Promise<number | 'ended'> {
    const taken = await this.requests.transaction((tx) => stepIn(tx, id)).catch(undoneByMove);
    if (taken === 'moving') return BUSY_MS;
    if (taken === 'ended') return 'ended';
    const { action, result, ended } = taken;
    if (result.changed > 0) await this.onChanged(action, result.changed);
    if (ended) return 'ended';
    const cancelled = await this.cancelInBusyLanes(id, result, until);
    if (!result.atEnd) return 0;
    // Probably nothing is left. Then this step ends the action, though the time may be over.
    return cancelled > 0 ? this.step(id, until) : BUSY_MS;
  }

  private async cancelInBusyLanes(id: string, { busy }: StepResult, until: number): Promise<number> {
    let cancelled = 0;
    for (const [lane, rows] of byLane(busy)) {
      const waitMs = until - performance.now();
      if (waitMs <= 0) break;
      const changed = await this.cancelInLine(id, lane, rows, waitMs);
      if (changed > 0) await this.onChanged('cancel', changed);
      cancelled += changed;
    }
    return cancelled;
  }

  /**
   * Queues for the lane, as a single cancel does: PostgreSQL gives it the lane before the next chunk. Where that takes too
   * long, the operations stay for the next pass.
   */
  private async cancelInLine(id: string, lane: number, rows: readonly QueuedRow[], waitMs: number): Promise<number> {
    try {
      return await this.requests.lockingTransaction(async (tx) => {
        await tx.query(lockLane(lane));
        const { rows: running } = await tx.query<ActionRow>(lockRunning(id));
        if (running[0] === undefined) return 0;
        const cancelled = await cancelInLane(tx, lane, rows);
        await storeChanges(tx, running[0], cancelled);
        return cancelled.length;
      }, waitMs);
    } catch (error) {
      if (!isLockNotAvailable(error) && !(error instanceof NoPlaceError)) throw error;
      return 0;
    }
  }

  private async find(id: string): Promise<IBulkAction> {
    const row = await this.findRow(id);
    if (row === undefined) throw notFound(id);
    return toAction(row);
  }

  private async findRow(id: string): Promise<ActionRow | undefined> {
    return (await this.requests.query<ActionRow>(selectAction(id))).rows[0];
  }
}

/** Undoes a step: a table of its operations is being moved to another lane. */
class MovingError extends Error {}

function undoneByMove(error: unknown): 'moving' {
  if (error instanceof MovingError) return 'moving';
  throw error;
}

type Taken = { action: BulkActionKind; result: StepResult; ended: boolean };

async function stepIn(tx: SqlClient, id: string): Promise<Taken | 'ended'> {
  const { rows } = await tx.query<ActionRow>(lockRunning(id));
  const [action] = rows;
  if (action === undefined) return 'ended';
  const result = await takeStep(tx, action);
  if (result.moving) throw new MovingError();
  const ended = result.atEnd && !result.again;
  if (ended) await end(tx, id);
  return { action: action.action, result, ended };
}

async function end(tx: SqlClient, id: string): Promise<void> {
  const { rows } = await tx.query<ActionRow>(endAction(id, 'completed'));
  await tx.query(insertAudit([entryOf(rows[0]!, rows[0]!.action, rows[0]!.createdBy ?? undefined)]));
}

/** The entry of the beginning and that of the end differ in status and counts. */
function entryOf(row: ActionRow, act: AuditAct, actor: string | undefined): NewAuditEntry {
  const { id, filter, status, matched, done, skipped } = toAction(row);
  const details = { action: row.action, filter: { ...filter } as Json, status, matched, done, skipped };
  return { act, actor, subject: { kind: 'bulk_action', id }, details };
}

const isVisible = ({ createdBy }: IBulkAction, access: Access): boolean =>
  access.targets === undefined || (createdBy !== undefined && createdBy === callerName(access));

function notFound(id: string): ServiceError {
  return new ServiceError('BULK_ACTION_NOT_FOUND', `There is no bulk action ${id}`, { id });
}

function toRepeat(row: ActionRow, action: BulkActionKind, filter: object, access: Access): IBulkAction {
  const known = toAction(row);
  const same = known.action === action && isDeepStrictEqual(known.filter, filter) && isVisible(known, access);
  if (same) return known;
  throw new ServiceError(
    'IDEMPOTENCY_CONFLICT',
    `The id ${row.id} belongs to another bulk action; use a new id for a new one`,
    { id: row.id },
  );
}

function countChanged(expected: number, { matched, exact }: { matched: number; exact: boolean }): ServiceError {
  return new ServiceError(
    'COUNT_CHANGED',
    exact
      ? `${matched} operations match, not ${expected}. Nothing was changed; make a dry run, and send its number as expected`
      : `More than ${matched} operations match, too many to count. Nothing was changed; narrow the filter, or leave out expected`,
    { expected, matched, exact },
  );
}

function toAction(row: ActionRow): IBulkAction {
  return {
    id: row.id,
    action: row.action,
    filter: row.filter,
    status: row.status,
    matched: Number(row.matched),
    done: Number(row.done),
    skipped: Number(row.skipped),
    createdAt: row.createdAt.toISOString(),
    updatedAt: row.updatedAt.toISOString(),
    ...(row.endedAt !== null && { endedAt: row.endedAt.toISOString() }),
    ...(row.createdBy !== null && { createdBy: row.createdBy }),
    ...(row.error !== null && { error: row.error }),
  };
}
