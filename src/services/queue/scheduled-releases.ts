import { countBacklog, countParties, type BacklogRow, type PartyRow } from '../backpressure/backlog.sql.js';
import { chooseReleases, isCrowded, type DueOperation, type Room } from '../backpressure/fair-share.js';
import type { Settings } from '../config/settings.js';
import { sendAlong } from '../../batch/sql/send-along.js';
import type { SqlDatabase } from '../../interfaces/sql.js';
import { walkInOrder } from '../database/walk-in-order.js';
import { releaseScheduled, selectDue } from './releases.sql.js';

export const RELEASE_LIMIT = 10_000;
const UNLIMITED = Number.MAX_SAFE_INTEGER;
/** Releases use at most a twentieth of a connection, however long the queue is. */
const PAUSE_FACTOR = 20;
const SHORTEST_PAUSE_MS = 250;
const SLOW_RELEASE_MS = 50;

/**
 * Makes scheduled operations pending when they are due. It releases them only while there is room in the backlog, and
 * while their party has not used up its share. It promises that a long queue does not make the releases expensive.
 */
export class ScheduledReleases {
  constructor(
    private readonly database: SqlDatabase,
    private readonly limits: Pick<Settings['intake'], 'maxBacklog' | 'backlogShare'>,
  ) {}

  /** @returns after how many milliseconds it may be called again */
  async release(): Promise<number> {
    const startedAt = performance.now();
    const { room, usedBy } = await this.countRoom();
    const left = await this.database.transaction(async (tx) => {
      sendAlong(tx, walkInOrder());
      const { rows: due } = await tx.query<DueOperation>(selectDue(RELEASE_LIMIT));
      const chosen = chooseReleases(due, room, usedBy);
      if (chosen.length > 0) await tx.query(releaseScheduled(chosen));
      return due.length - chosen.length;
    });
    const tookMs = performance.now() - startedAt;
    // A quick release that left nothing behind needs no pause. So the next operations are released as soon as they are
    // due.
    if (left === 0 && tookMs <= SLOW_RELEASE_MS) return 0;
    return Math.max(SHORTEST_PAUSE_MS, PAUSE_FACTOR * tookMs);
  }

  /** Counts parties only when this release could use up the share of one of them. */
  private async countRoom(): Promise<{ room: Room; usedBy: ReadonlyMap<number, number> }> {
    const { maxBacklog: limit, backlogShare: share } = this.limits;
    if (limit === 0) return { room: { limit: UNLIMITED, waiting: 0, share }, usedBy: new Map() };
    const { rows } = await this.database.query<BacklogRow>(countBacklog('pending', limit));
    const room = { limit, waiting: rows[0]!.operations, share };
    if (!isCrowded({ ...room, waiting: room.waiting + RELEASE_LIMIT })) return { room, usedBy: new Map() };
    const parties = await this.database.query<PartyRow>(countParties('pending'));
    return { room, usedBy: new Map(parties.rows.map(({ party, operations }) => [party, operations])) };
  }
}
