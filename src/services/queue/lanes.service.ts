import { hostname } from 'node:os';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { v7 as uuid } from 'uuid';
import { ENTRANCE_LANE } from '../../entities/functions/create-operations.js';
import { CatalogService } from '../catalog/catalog.service.js';
import { changedSince, selectVersion } from '../catalog/catalog-version.js';
import { SETTINGS, type Settings } from '../config/settings.js';
import { isLockNotAvailable } from '../database/classify-failure.js';
import { DatabaseService } from '../database/database.service.js';
import type { SqlClient } from '../database/sql.js';
import { assignLanes, spreadLanes, type LaneMap } from './assign-lanes.js';
import type { ClaimHints } from './claim-cursor.js';
import type { Scope } from './claim-scope.js';
import { nextTry, type LaneFault } from './lane-fault.js';
import {
  beat,
  boundLockTimeout,
  clearFaults,
  clearIdleFaults,
  countFree,
  leave,
  lockAllLanes,
  lockRegister,
  moveOperations,
  moveTargets,
  moveWaiting,
  nextTryOfLanes,
  recordFault,
  registerLanes,
  retryBugs,
  scheduleTry,
  selectEntered,
  selectLanes,
  tryLockRegister,
  waitForLongMove,
} from './lanes.sql.js';
import type { Shape } from './shape.js';
import { takeLanes, type TakenLanes } from './claim.sql.js';
import { holdReleases } from './releases.sql.js';
import { lockLane } from './requested-changes.sql.js';

const BEAT_INTERVAL_MS = 1000;
/** A worker that was not seen for this time gets no share. */
const LIVES_FOR_MS = 3000;
/**
 * The catalog's version does not change when objects are altered or dropped, so lanes are also compared at this
 * interval.
 */
const COMPARE_INTERVAL_MS = 60_000;
/** A move that meets a table that a caller holds is tried again after this time, and waits so long for such a caller. */
const HELD_PAUSE_MS = 500;
const HELD_WAIT_MS = 100;

/**
 * Shares the lanes among the workers. It promises that tables which may influence one another are in the same lane for
 * every process, also when tables change. It promises that a lane has one chunk at a time, and that a worker takes its
 * fair share of the lanes in which operations wait. A lane is released with the transaction that took it, so a worker
 * that dies holds none.
 */
@Injectable()
export class LanesService {
  readonly worker = `${hostname()}:${process.pid}`;
  private readonly logger = new Logger(LanesService.name);
  private readonly id = uuid();
  private readonly registered = new Set<string>();
  private version = '';
  private putOff: PutOffMove | undefined;
  private nextComparisonAt = 0;
  private workers = 1;
  private nextBeatAt = 0;

  constructor(
    private readonly database: DatabaseService,
    private readonly catalog: CatalogService,
    @Inject(SETTINGS) private readonly settings: Settings,
  ) {}

  /**
   * Gives a lane to each table that operations name for the first time. It gives none while somebody else does so or
   * moves tables, because the tables of the same group may be among them.
   *
   * @returns the targets of operations that must not be stored yet: those without a lane, and those that are tied to them
   */
  async register(operations: readonly Pick<Shape, 'target'>[]): Promise<ReadonlySet<string>> {
    const targets = new Set(operations.map(({ target }) => target));
    const unknown = [...targets].filter((target) => !this.registered.has(target));
    if (unknown.length === 0) return NONE;
    const assigned = await readLanes(this.database);
    const missing = unknown.filter((target) => !assigned.has(target));
    const groups = missing.length === 0 ? undefined : await this.tryToRegister(missing, assigned);
    if (groups === undefined) {
      for (const target of unknown) this.registered.add(target);
      return NONE;
    }
    const withheld = new Set(missing.map((target) => groups.get(target)));
    return new Set([...targets].filter((target) => withheld.has(groups.get(target))));
  }

  /** These tables are registered again before operations on them are stored. */
  forget(targets: readonly string[]): void {
    for (const target of targets) this.registered.delete(target);
  }

  /** Takes free lanes until the end of `tx`. */
  async take(tx: SqlClient, scope: Scope, hints: ClaimHints): Promise<TakenLanes> {
    if (this.putOffMs === 0) await this.tryPutOffMove();
    const known = performance.now() < this.nextComparisonAt ? this.version : '';
    const taken = await this.tryToTake(tx, scope, hints, known);
    if (taken.version === known && !taken.entered) return taken;
    await this.adapt(known, taken);
    return this.tryToTake(tx, scope, hints, taken.version);
  }

  /** Milliseconds until a move that was put off is tried again. Undefined when there is none. */
  get putOffMs(): number | undefined {
    return this.putOff && Math.max(0, this.putOff.tryAt - performance.now());
  }

  /** Tells the other workers that this one is alive. Call it often: it asks the database only once a second. */
  async beat(): Promise<void> {
    if (performance.now() < this.nextBeatAt) return;
    this.nextBeatAt = performance.now() + BEAT_INTERVAL_MS;
    const { rows } = await this.database.query<{ workers: number }>(beat(this.id, this.worker, LIVES_FOR_MS));
    this.workers = rows[0]?.workers ?? 1;
  }

  /** Leaves its share to the other workers. */
  async leave(): Promise<void> {
    await this.database.query(leave(this.id));
  }

  /**
   * From now on the lane stands still and is tried separately, with growing pauses, until it is parked (see `nextTry`).
   */
  async recordFault(fault: LaneFault): Promise<void> {
    await this.database.transaction(async (tx) => {
      const { rows } = await tx.query<{ failures: number }>(recordFault(fault, this.worker));
      const failures = rows[0]?.failures ?? 1;
      const { lane, kind, sqlState } = fault;
      // An error of an operation may quote its values, which only callers with a key may see.
      const reason = kind === 'operation' || kind === 'unknown' ? 'see GET lanes' : fault.message;
      const { delayMs, parked } = nextTry(kind, failures, this.settings.execution.laneTries);
      await tx.query(scheduleTry(lane, delayMs, parked));
      if (parked) {
        this.logger.error({
          message: 'Lane was parked until somebody resumes it',
          lane,
          failures,
          kind,
          reason,
          sqlState,
        });
      } else {
        this.logger.warn({ message: 'Lane stands still', lane, failures, delayMs, kind, reason, sqlState });
      }
    });
  }

  /**
   * A lane goes on when one of its operations was executed, unless that operation had only overtaken the one in the
   * way.
   */
  async clearFaults(lanes: readonly number[]): Promise<void> {
    const { rows } = await this.database.query<{ lane: number }>(clearFaults(lanes));
    if (rows.length > 0) this.logger.log({ message: 'Lanes go on after a fault', lanes: rows.map(({ lane }) => lane) });
  }

  /**
   * Tries lanes that stand still because of a bug. Call it when a process starts, because it may be a newer version.
   */
  async retryBugs(): Promise<void> {
    await this.database.query(retryBugs());
  }

  /** Milliseconds until the next lane that stands still is to be tried. Undefined when there is none. */
  async nextTryInMs(): Promise<number | undefined> {
    await this.database.query(clearIdleFaults());
    const { rows } = await this.database.query<{ dueInMs: number | null }>(nextTryOfLanes());
    return rows[0]?.dueInMs ?? undefined;
  }

  private async tryToTake(tx: SqlClient, scope: Scope, hints: ClaimHints, version: string): Promise<TakenLanes> {
    const { rows } = await tx.query<TakenLanes>(
      takeLanes(scope, hints, this.workers, version, this.putOff?.closed ?? []),
    );
    return rows[0]!;
  }

  /** It has its own transactions, because nothing is certain before the commit. */
  private async adapt(known: string, { version, entered }: TakenLanes): Promise<void> {
    const { rows } = await this.database.query<{ changed: boolean }>(changedSince(known));
    const changed = rows[0]?.changed === true;
    if (changed || entered) this.catalog.invalidate();
    if (entered) await this.database.transaction((tx) => this.letIn(tx));
    if (changed) await this.moveTables();
    this.version = version;
    if (known === '') this.nextComparisonAt = performance.now() + COMPARE_INTERVAL_MS;
  }

  /**
   * @param assigned the lanes of all other tables, as far as is known
   * @returns undefined when all have a lane now, else the groups of all these tables
   */
  private async tryToRegister(tables: readonly string[], assigned: LaneMap): Promise<Groups | undefined> {
    const { rows } = await this.database.query<{ version: string }>(selectVersion());
    // The remembered catalog may be older than the one that the workers use.
    this.catalog.invalidate();
    const groups = new Map(await this.catalog.groups([...assigned.keys(), ...tables]));
    // One that was dropped a moment ago.
    for (const table of tables) if (!groups.has(table)) groups.set(table, table);
    const isDone = await this.database.transaction(async (tx) => {
      const [lock, now, tied] = await Promise.all([
        tx.query<{ held: boolean }>(tryLockRegister()),
        readLanes(tx),
        tx.query<{ changed: boolean }>(changedSince(rows[0]!.version)),
      ]);
      if (lock.rows[0]?.held !== true) return false;
      // Others may have registered tables since, or tied some.
      if (now.size !== assigned.size || tied.rows[0]?.changed !== false) return false;
      await tx.query(registerLanes(new Map([...assignLanes(groups, now)].filter(([table]) => !now.has(table)))));
      return true;
    });
    return isDone ? undefined : groups;
  }

  /** Gives lanes to tables whose operations were stored in SQL before they had one, and puts these operations there. */
  private async letIn(tx: SqlClient): Promise<void> {
    await tx.query(lockRegister());
    await tx.query(waitForLongMove());
    // Nothing is executed there, but operations may be cancelled.
    await tx.query(lockLane(ENTRANCE_LANE));
    // If an operation were released between the two moves, both would overlook it.
    await tx.query(holdReleases());
    const { rows } = await tx.query<{ target: string }>(selectEntered());
    const assigned = await readLanes(tx);
    const groups = new Map(await this.catalog.groups([...assigned.keys(), ...rows.map(({ target }) => target)]));
    // One that was dropped a moment ago.
    for (const { target } of rows) if (!groups.has(target)) groups.set(target, target);
    const missing = [...assignLanes(groups, assigned)].filter(([target]) => !assigned.has(target));
    await tx.query(registerLanes(new Map(missing)));
    await this.moveAll(tx, ENTRANCE_LANE);
  }

  /**
   * Moves tables that belong to another lane now, together with their operations. Nothing is executed meanwhile. So it does not wait
   * for callers that hold one of the tables in an open transaction: it is put off then.
   */
  private async moveTables(): Promise<void> {
    const { lanes, tied } = await this.misplacedTables(this.database);
    const putOff = { targets: [...lanes.keys()], closed: tied, tryAt: performance.now() + HELD_PAUSE_MS };
    // Before anything else, and until it is done: a move that fails leaves the lanes closed.
    this.putOff = lanes.size === 0 ? undefined : putOff;
    if (lanes.size === 0 || !(await this.areFree(putOff.targets))) return;
    try {
      await this.database.transaction((tx) => this.moveNow(tx));
      this.putOff = undefined;
    } catch (error) {
      if (!isLockNotAvailable(error)) throw error;
    }
  }

  private async tryPutOffMove(): Promise<void> {
    const putOff = this.putOff!;
    putOff.tryAt = performance.now() + HELD_PAUSE_MS;
    if (!(await this.areFree(putOff.targets))) return;
    this.catalog.invalidate();
    await this.moveTables();
  }

  /** Whether nobody holds these tables. */
  private async areFree(targets: readonly string[]): Promise<boolean> {
    const { rows } = await this.database.query<{ free: number }>(countFree(targets));
    return rows[0]!.free === targets.length;
  }

  private async moveNow(tx: SqlClient): Promise<void> {
    // A table that is being registered would be overlooked.
    await tx.query(lockRegister());
    await tx.query(waitForLongMove());
    await tx.query(lockAllLanes());
    // If an operation were released between the two moves, both would overlook it.
    await tx.query(holdReleases());
    // Tables may have been tied meanwhile.
    this.catalog.invalidate();
    const { lanes } = await this.misplacedTables(tx);
    await tx.query(boundLockTimeout(HELD_WAIT_MS));
    await tx.query(moveTargets(lanes));
    await tx.query(boundLockTimeout());
    await this.moveAll(tx);
  }

  /** @param from only operations of this lane */
  private async moveAll(tx: SqlClient, from?: number): Promise<void> {
    await tx.query(moveWaiting('delayed', from));
    await tx.query(moveWaiting('pending', from));
    const moved = await tx.query<{ moved: number }>(moveOperations(from));
    this.logger.log({ message: 'Tables changed lanes', operations: moved.rows[0]?.moved });
  }

  /**
   * The tables that are in a wrong lane, with the lane to which they belong, and the lanes of those that are tied to tables in other
   * lanes: only there the order could be lost.
   */
  private async misplacedTables(tx: SqlClient): Promise<{ lanes: LaneMap; tied: number[] }> {
    const assigned = await readLanes(tx);
    const groups = await this.catalog.groups([...assigned.keys()]);
    const lanes = new Map([...spreadLanes(groups, assigned)].filter(([target, lane]) => assigned.get(target) !== lane));
    const lanesOfGroups = new Map<string, Set<number>>();
    for (const [target, group] of groups) {
      lanesOfGroups.set(group, (lanesOfGroups.get(group) ?? new Set()).add(assigned.get(target)!));
    }
    const tied = [...lanesOfGroups.values()].filter(({ size }) => size > 1).flatMap((of) => [...of]);
    return { lanes, tied };
  }
}

/** A move of tables that a caller holds in an open transaction. */
interface PutOffMove {
  targets: readonly string[];
  /** Nothing is executed in these lanes before it. */
  closed: readonly number[];
  /** When it is tried again, in milliseconds of the monotonic clock. */
  tryAt: number;
}

type Groups = ReadonlyMap<string, string>;

const NONE: ReadonlySet<string> = new Set();

async function readLanes(tx: SqlClient): Promise<LaneMap> {
  const { rows } = await tx.query<{ target: string; lane: number }>(selectLanes());
  return new Map(rows.map(({ target, lane }) => [target, lane]));
}
