import { setTimeout as wait } from 'node:timers/promises';
import type { AuditAct } from '../../interfaces/audit.js';
import type { IPause, IPauseAnswer, IPauseRequest, IPauseState, PauseKind } from '../../interfaces/pause.js';
import type { SqlClient, SqlDatabase } from '../../interfaces/sql.js';
import { insertAudit } from '../audit/audit.sql.js';
import { parseTargetName, tableId } from '../catalog/target-name.js';
import { didYouMean } from '../errors/nearest-name.js';
import { quoteForMessage } from '../errors/quote-for-message.js';
import { ServiceError } from '../errors/service-error.js';
import { NearestNames } from '../intake/nearest-names.js';
import { LANES } from '../queue/assign-lanes.js';
import { lockReleases, wakeAllKept } from '../queue/releases.sql.js';
import {
  countWaiting,
  deletePause,
  insertPause,
  notifyWorkers,
  selectPauses,
  selectTable,
  selectTableNames,
  selectUnaware,
  type PauseRow,
  type WaitingCountRow,
} from './pauses.sql.js';

// Used by the service and by the command `pauses`. Not injectable, because the command loads no framework.

export const MOST_COUNTED = 10_000;
/** So a count takes less than 0.2 s in the database: the dashboard asks every three seconds. */
export const MOST_EXAMINED = 25_000;
/** With more tables, none is suggested. */
const MOST_TABLES = 5000;
/** How long a pause waits for what runs already. */
const SETTLE_MS = 2000;
const LOOK_EVERY_MS = 20;

const SOURCE = /^[A-Za-z0-9_-]{1,100}$/;
const LONGEST_REASON = 500;

export async function listPauses(database: SqlClient): Promise<IPauseState[]> {
  const { rows } = await database.query<PauseRow>(selectPauses());
  const states: IPauseState[] = [];
  for (const row of rows) states.push(await withCount(database, row));
  return states;
}

/**
 * Pauses or drains. The same request again changes nothing. Resolves when nothing that began before knows less than the
 * pause, or after two seconds with `running: true`.
 *
 * @param actor who does it, see `callerName`
 * @throws ServiceError INVALID_REQUEST; UNKNOWN_TARGET
 */
export async function pause(
  database: SqlDatabase,
  request: IPauseRequest,
  actor: string | undefined,
): Promise<IPauseAnswer> {
  const { kind, reason, drain = false } = request;
  if ((reason?.length ?? 0) > LONGEST_REASON) {
    throw new ServiceError('INVALID_REQUEST', `The reason of a pause has at most ${LONGEST_REASON} characters`);
  }
  const name = nameOf(kind, request.name);
  if (kind === 'target') await assertTable(database, request.name);
  const row = await database.transaction(async (tx) => {
    const { rows } = await tx.query<PauseRow & { changed: boolean }>(insertPause({ ...request, name }, actor));
    const { changed, ...stored } = rows[0]!;
    if (changed) await tx.query(insertAudit([act(drain ? 'drain' : 'pause', stored, actor)]));
    // A drain of what was paused lets it go on.
    if (changed && drain) await tx.query(notifyWorkers());
    return stored;
  });
  if (kind === 'source') await wakeKept(database);
  return { ...toPause(row), running: await stillRuns(database, row) };
}

/**
 * Ends a pause or a drain.
 *
 * @param actor who does it, see `callerName`
 * @throws ServiceError INVALID_REQUEST; PAUSE_NOT_FOUND
 */
export async function unpause(
  database: SqlDatabase,
  kind: PauseKind,
  given: string,
  actor: string | undefined,
): Promise<IPause> {
  const name = nameOf(kind, given);
  const row = await database.transaction(async (tx) => {
    const { rows } = await tx.query<PauseRow>(deletePause(kind, name));
    if (rows[0] === undefined) return undefined;
    await tx.query(insertAudit([act('unpause', rows[0], actor)]));
    await tx.query(notifyWorkers());
    return rows[0];
  });
  if (row !== undefined) return toPause(row);
  const { rows } = await database.query<PauseRow>(selectPauses());
  const others = rows.filter((each) => each.kind === kind).map((each) => each.name);
  throw new ServiceError(
    'PAUSE_NOT_FOUND',
    `The ${kind} ${quoteForMessage(name)} is neither paused nor drained${didYouMean(name, others)}`,
    { kind, name },
  );
}

/** The name as it is stored. */
function nameOf(kind: PauseKind, given: string): string {
  switch (kind) {
    case 'lane':
      if (/^\d{1,2}$/.test(given) && Number(given) < LANES) return String(Number(given));
      throw invalidName(`A lane is a number from 0 to ${LANES - 1}`, given);
    case 'source':
      if (SOURCE.test(given)) return given;
      throw invalidName('A source has 1 to 100 letters, digits, _ and -', given);
    case 'target': {
      const name = parseTargetName(given);
      if (name !== undefined) return tableId(name);
      throw invalidName('A target is table or schema.table', given);
    }
    default:
      return kind satisfies never;
  }
}

function invalidName(rule: string, given: string): ServiceError {
  return new ServiceError('INVALID_REQUEST', `${rule}, not ${quoteForMessage(given)}`, { parameter: 'name' });
}

/** @throws ServiceError UNKNOWN_TARGET */
async function assertTable(database: SqlClient, target: string): Promise<void> {
  const { schema, name } = parseTargetName(target)!;
  const { rows } = await database.query(selectTable(schema, name));
  if (rows.length > 0) return;
  const names = await database.query<{ schema: string; name: string }>(selectTableNames(MOST_TABLES));
  const nearest = new NearestNames(() => names.rows.map(tableId)).table(target);
  const suggestion = nearest === undefined ? '' : `; did you mean ${quoteForMessage(nearest)}?`;
  throw new ServiceError('UNKNOWN_TARGET', `There is no table ${quoteForMessage(target)}${suggestion}`, { target });
}

/**
 * An earlier pause of the source may have ended, and some of its operations may have come back. Then nothing else would
 * bring back what waits behind these.
 */
function wakeKept(database: SqlDatabase): Promise<void> {
  return database.transaction(async (tx) => {
    await tx.query(lockReleases());
    await tx.query(wakeAllKept());
  });
}

/** Whether something that may not know of the pause has not ended in time. */
async function stillRuns(database: SqlClient, row: PauseRow): Promise<boolean> {
  const giveUpAt = performance.now() + SETTLE_MS;
  let unaware = await unawareOf(database, row);
  while (unaware.length > 0) {
    if (performance.now() >= giveUpAt) return true;
    await wait(LOOK_EVERY_MS);
    unaware = await unawareOf(database, row, unaware);
  }
  return false;
}

async function unawareOf(database: SqlClient, row: PauseRow, among?: readonly string[]): Promise<readonly string[]> {
  const { rows } = await database.query<{ transactions: string[] | null }>(selectUnaware(row, among));
  return rows[0]!.transactions ?? [];
}

async function withCount(database: SqlClient, row: PauseRow): Promise<IPauseState> {
  const counted = countWaiting(row.kind, row.name, MOST_COUNTED, MOST_EXAMINED);
  const { waiting, examined } = (await database.query<WaitingCountRow>(counted)).rows[0]!;
  const isExact = waiting < MOST_COUNTED && examined < MOST_EXAMINED;
  return { ...toPause(row), remaining: waiting, remainingIsExact: isExact };
}

function act(name: AuditAct, { kind, name: id, reason }: PauseRow, actor: string | undefined) {
  return { act: name, actor, subject: { kind, id }, ...(reason !== null && { details: { reason } }) };
}

export function toPause({ kind, name, drain, pausedAt, by, reason }: PauseRow): IPause {
  return {
    ...{ kind, name, drain, pausedAt: pausedAt.toISOString() },
    ...(by !== null && { by }),
    ...(reason !== null && { reason }),
  };
}
