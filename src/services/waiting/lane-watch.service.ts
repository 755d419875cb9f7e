import { Injectable, Logger } from '@nestjs/common';
import type { ILockHolder } from '../../interfaces/lock-holder.js';
import { DatabaseService } from '../database/database.service.js';
import type { PollTask } from '../poller/poller.js';
import { LanesService } from '../queue/lanes.service.js';
import {
  selectClosedLanes,
  selectLanesAfterLock,
  selectLockedLanes,
  type ClosedLaneRow,
  type LockedLaneRow,
} from './waiting.sql.js';

const INTERVAL_MS = 500;
/** After a failure; the poller itself reports a database that is away. */
const AFTER_FAILURE_MS = 5000;
/** Most transactions end before, and nobody has to do anything. */
const CLOSED_LOGGED_AFTER_MS = 3000;

/**
 * Logs which lanes wait for a lock, and for whom, within a second: long before the lock times out. One line when it
 * begins, and one when it ends. A time-out of the lock does not end it, because the lane is tried again. It asks only
 * while a chunk of this process takes longer than usual. It logs lanes that stay closed in the same way. It also tells
 * the other workers that this one is there.
 */
@Injectable()
export class LaneWatchService implements PollTask {
  private readonly logger = new Logger(LaneWatchService.name);
  /** By lane: those that held the lock when it was logged. */
  private readonly locked = new Map<number, string>();
  /** Lanes of `locked` that did not wait at the last look. After a time-out a moment passes until the fault is stored. */
  private quiet = new Set<number>();
  /** When lanes were closed, in milliseconds of the monotonic clock. */
  private closedSince: number | undefined;
  private closedIsLogged = false;
  private chunkRunsForMs: () => number = () => 0;

  constructor(
    private readonly database: DatabaseService,
    private readonly lanes: LanesService,
  ) {}

  /** @param chunkRunsForMs for how long the chunks of this process have been running: the longest */
  watch(chunkRunsForMs: () => number): void {
    this.chunkRunsForMs = chunkRunsForMs;
  }

  async poll(): Promise<number> {
    // A chunk that waits for a lock polls nothing, and its worker is there all the same.
    await this.lanes.beat();
    if (this.locked.size > 0 || this.chunkRunsForMs() > INTERVAL_MS / 2) await this.look();
    await this.lookAtClosed();
    return INTERVAL_MS;
  }

  afterFailure(error: unknown): number {
    this.logger.warn({ message: 'Locks of lanes could not be read', reason: (error as Error).message });
    return AFTER_FAILURE_MS;
  }

  private async look(): Promise<void> {
    const { rows } = await this.database.query<LockedLaneRow>(selectLockedLanes());
    const found = new Map(rows.map((row) => [row.lane, row]));
    await this.tellEnded([...this.locked.keys()].filter((lane) => !found.has(lane)));
    for (const row of found.values()) {
      const holders = row.holders.map(keyOf).join();
      if (this.locked.get(row.lane) === holders) continue;
      this.locked.set(row.lane, holders);
      this.logger.warn({
        message: 'Lane is blocked by a lock',
        lane: row.lane,
        targets: row.targets,
        waitingMs: Math.round(row.waitingMs),
        ...(row.relation !== null && { relation: row.relation }),
        holders: row.holders.map(toLogged),
      });
    }
  }

  private async lookAtClosed(): Promise<void> {
    if (this.lanes.closedLanes.length === 0) {
      if (this.closedIsLogged) this.logger.log({ message: 'Lanes are no longer closed' });
      this.closedSince = undefined;
      this.closedIsLogged = false;
      return;
    }
    this.closedSince ??= performance.now();
    const closedMs = performance.now() - this.closedSince;
    if (this.closedIsLogged || closedMs < CLOSED_LOGGED_AFTER_MS) return;
    const { rows } = await this.database.query<ClosedLaneRow>(selectClosedLanes());
    if (rows.length === 0) return;
    const holders = new Map(rows.flatMap((row) => row.holders.map((holder) => [keyOf(holder), holder])));
    this.closedIsLogged = true;
    this.logger.warn({
      message: 'Lanes are closed by open transactions of callers in SQL',
      lanes: rows.map(({ lane }) => lane),
      targets: [...new Set(rows.flatMap(({ targets }) => targets))],
      closedMs: Math.round(closedMs),
      holders: [...holders.values()].map(toLogged),
    });
  }

  private async tellEnded(quiet: readonly number[]): Promise<void> {
    const twice = quiet.filter((lane) => this.quiet.has(lane));
    this.quiet = new Set(quiet);
    if (twice.length === 0) return;
    const { rows } = await this.database.query<{ lane: number }>(selectLanesAfterLock(twice));
    const waiting = new Set(rows.map(({ lane }) => lane));
    for (const lane of twice.filter((each) => !waiting.has(each))) {
      this.locked.delete(lane);
      this.logger.log({ message: 'Lane no longer waits for a lock', lane });
    }
  }
}

/** Prepared transactions have no process. */
const keyOf = ({ pid, gid }: ILockHolder): string => gid ?? String(pid);

/** Without the statement: it may contain values, and more people read the log. */
function toLogged({ pid, gid, preparedAt, application, user, state, worker }: ILockHolder): Partial<ILockHolder> {
  return {
    pid,
    ...(gid !== undefined && { gid }),
    ...(preparedAt !== undefined && { preparedAt }),
    ...(application !== undefined && { application }),
    ...(user !== undefined && { user }),
    ...(state !== undefined && { state }),
    ...(worker !== undefined && { worker }),
  };
}
