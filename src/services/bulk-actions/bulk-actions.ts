import { isDeepStrictEqual } from 'node:util';
import { v7 as uuid } from 'uuid';
import type {
  BulkActionKind,
  IBulkAction,
  IBulkActionCount,
  IBulkActionRequest,
} from '../../interfaces/bulk-action.js';
import type { IPage } from '../../interfaces/operation.js';
import { sendAlong } from '../../batch/sql/send-along.js';
import { callerName, type Access } from '../access/access.js';
import { insertAudit } from '../audit/audit.sql.js';
import type { RequestConnections } from '../database/request-connections.js';
import { walkInOrder } from '../database/walk-in-order.js';
import { ServiceError } from '../errors/service-error.js';
import { checkCursor, FIRST_PAGE } from '../outcomes/cursor.js';
import { countMatches, type CountRow } from '../outcomes/matching.sql.js';
import { firstStretch, prepareMatch, walkMatches } from '../outcomes/walk-matches.js';
import { endAction, insertAction, selectActions, type ActionRow } from './bulk-actions.sql.js';
import { LEASE_MS } from './bulk-step.js';
import { checkBulkRequest, toBulkMatch } from './check-bulk-request.js';
import { entryOf, findAction, findRow, notFound, toAction } from './stored-action.js';

const DEFAULT_LIMIT = 100;
/** How long a dry run, or a request that expects a number, may count. */
const COUNT_MS = 5000;
/** How long a request counts that only shows its progress. */
const QUICK_COUNT_MS = 300;

/**
 * What callers ask of bulk actions: count the operations that match a filter, begin an action, show and stop it. It
 * stores an action when it begins. The steps are done by `BulkWork`.
 */
export class BulkActions {
  /** @param identity of the process that works on an action as soon as it has begun, see `BulkWork` */
  constructor(
    private readonly requests: RequestConnections,
    private readonly identity: string,
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
    const known = id === undefined || dryRun === true ? undefined : await findRow(this.requests, id);
    if (known !== undefined) return toRepeat(known, action, filter, access);
    const counted = await this.count(action, request, access);
    if (expected !== undefined && !(counted.exact && counted.matched === expected))
      throw countChanged(expected, counted);
    if (dryRun === true) return { dryRun, action, ...counted };
    return this.begin(action, request, access, counted.matched, actor);
  }

  /** @throws ServiceError BULK_ACTION_NOT_FOUND */
  async get(id: string, access: Access): Promise<IBulkAction> {
    const action = await findAction(this.requests, id);
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
    const { status } = await findAction(this.requests, id);
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
    return toRepeat((await findRow(this.requests, id))!, action, filter, access);
  }
}

const isVisible = ({ createdBy }: IBulkAction, access: Access): boolean =>
  access.targets === undefined || (createdBy !== undefined && createdBy === callerName(access));

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
