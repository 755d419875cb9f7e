import { Injectable, Logger } from '@nestjs/common';
import { ENTRANCE_LANE } from '../../entities/functions/create-operations.js';
import { CatalogService } from '../catalog/catalog.service.js';
import { changedSince, selectVersion } from '../catalog/catalog-version.js';
import { isLockNotAvailable } from '../database/classify-failure.js';
import { DatabaseService } from '../database/database.service.js';
import type { SqlClient } from '../../interfaces/sql.js';
import { assignLanes, spreadLanes, type LaneMap } from './assign-lanes.js';
import {
  boundLockTimeout,
  countFree,
  lockAllLanes,
  lockRegister,
  moveOperations,
  moveTargets,
  moveWaiting,
  registerLanes,
  selectEntered,
  selectLanes,
  tryLockRegister,
  waitForLongMove,
} from './lane-register.sql.js';
import type { Shape } from './shape.js';
import { blockReleases } from './releases.sql.js';
import { lockLane } from './requested-changes.sql.js';

/** If a caller holds a table of a move, the move is deferred and tried again after this time. */
const HELD_PAUSE_MS = 500;
/** How long a move waits for a table that a caller holds. */
const HELD_WAIT_MS = 100;

/**
 * Knows the lane of each table. It promises that tables which may influence one another have the same lane, for every
 * process. When tables change, it moves them to other lanes, together with the operations that wait.
 */
@Injectable()
export class LaneRegisterService {
  private readonly logger = new Logger(LaneRegisterService.name);
  private readonly registered = new Set<string>();
  private deferred: DeferredMove | undefined;

  constructor(
    private readonly database: DatabaseService,
    private readonly catalog: CatalogService,
  ) {}

  /**
   * Gives a lane to each table that operations name for the first time. It gives none while another session gives lanes
   * or moves tables, because that session may handle tables of the same group.
   *
   * @returns the targets whose operations must not be stored yet: tables without a lane, and tables of their groups
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

  /** Makes `register` look these tables up again before operations on them are stored. */
  forget(targets: readonly string[]): void {
    for (const target of targets) this.registered.delete(target);
  }

  /**
   * Gives lanes to the tables of operations in the entrance, and moves tables that have changed their group. It uses
   * its own transactions, because nothing is certain before the commit.
   *
   * @param version the version of the catalog for which the lanes are right
   */
  async adapt(version: string, entered: boolean): Promise<void> {
    const { rows } = await this.database.query<{ changed: boolean }>(changedSince(version));
    const changed = rows[0]?.changed === true;
    if (changed || entered) this.catalog.invalidate();
    if (entered) await this.database.transaction((tx) => this.letIn(tx));
    if (changed) await this.moveTables();
  }

  /**
   * Lanes in which nothing may be executed, because a move of their tables was deferred. Tries the move again when it
   * is due.
   */
  async closedLanes(): Promise<readonly number[]> {
    if (this.deferred !== undefined && this.deferred.tryAt <= performance.now())
      await this.tryDeferredMove(this.deferred);
    return this.deferred?.closed ?? [];
  }

  /** Another object when another move, or the same one once more, was deferred. Undefined when there is none. */
  get deferredMove(): Readonly<DeferredMove> | undefined {
    return this.deferred;
  }

  /** Milliseconds until a move that was deferred is tried again. Undefined when there is none. */
  get deferredMoveInMs(): number | undefined {
    return this.deferred && Math.max(0, this.deferred.tryAt - performance.now());
  }

  /**
   * @param assigned the known lanes of all other tables
   * @returns undefined when all tables have a lane now, else the group of each table
   */
  private async tryToRegister(tables: readonly string[], assigned: LaneMap): Promise<Groups | undefined> {
    const { rows } = await this.database.query<{ version: string }>(selectVersion());
    // The remembered catalog may be older than the one that the workers use.
    this.catalog.invalidate();
    const groups = await this.groupsOf(assigned, tables);
    const isDone = await this.database.transaction(async (tx) => {
      const [lock, now, tied] = await Promise.all([
        tx.query<{ held: boolean }>(tryLockRegister()),
        readLanes(tx),
        tx.query<{ changed: boolean }>(changedSince(rows[0]!.version)),
      ]);
      if (lock.rows[0]?.held !== true) return false;
      // Other sessions may have registered tables since, or foreign keys may have joined groups.
      if (now.size !== assigned.size || tied.rows[0]?.changed !== false) return false;
      await assignMissing(tx, groups, now);
      return true;
    });
    return isDone ? undefined : groups;
  }

  /** The groups of all tables that have a lane, and of `tables`. */
  private async groupsOf(assigned: LaneMap, tables: readonly string[]): Promise<Groups> {
    const groups = new Map(await this.catalog.groups([...assigned.keys(), ...tables]));
    // A table that was just dropped is a group of its own.
    for (const table of tables) if (!groups.has(table)) groups.set(table, table);
    return groups;
  }

  /**
   * Gives lanes to tables whose operations were stored in SQL before the tables had a lane. Moves these operations
   * there.
   */
  private async letIn(tx: SqlClient): Promise<void> {
    await tx.query(lockRegister());
    await tx.query(waitForLongMove());
    // Nothing is executed there, but operations may be cancelled.
    await tx.query(lockLane(ENTRANCE_LANE));
    // If an operation were released between the two moves, both would overlook it.
    await tx.query(blockReleases());
    const { rows } = await tx.query<{ target: string }>(selectEntered());
    const assigned = await readLanes(tx);
    const groups = await this.groupsOf(
      assigned,
      rows.map(({ target }) => target),
    );
    await assignMissing(tx, groups, assigned);
    await this.moveAll(tx, ENTRANCE_LANE);
  }

  /**
   * Moves tables that now belong to another lane, together with their operations. Nothing is executed meanwhile. So it
   * does not wait for a caller that holds one of the tables in an open transaction. It defers the move instead.
   */
  private async moveTables(): Promise<void> {
    const { lanes, tied } = await this.misplacedTables(this.database);
    const deferred = { targets: [...lanes.keys()], closed: tied, tryAt: performance.now() + HELD_PAUSE_MS };
    // Set before the move and cleared after it, so that a move that fails leaves the lanes closed.
    this.deferred = lanes.size === 0 ? undefined : deferred;
    if (lanes.size === 0 || !(await this.areFree(deferred.targets))) return;
    try {
      await this.database.transaction((tx) => this.moveNow(tx));
      this.deferred = undefined;
    } catch (error) {
      if (!isLockNotAvailable(error)) throw error;
    }
  }

  private async tryDeferredMove(deferred: DeferredMove): Promise<void> {
    deferred.tryAt = performance.now() + HELD_PAUSE_MS;
    if (!(await this.areFree(deferred.targets))) return;
    this.catalog.invalidate();
    await this.moveTables();
  }

  private async areFree(targets: readonly string[]): Promise<boolean> {
    const { rows } = await this.database.query<{ free: number }>(countFree(targets));
    return rows[0]!.free === targets.length;
  }

  private async moveNow(tx: SqlClient): Promise<void> {
    // Otherwise the move would overlook a table that is being registered.
    await tx.query(lockRegister());
    await tx.query(waitForLongMove());
    await tx.query(lockAllLanes());
    // If an operation were released between the two moves, both would overlook it.
    await tx.query(blockReleases());
    // The groups may have changed since.
    this.catalog.invalidate();
    const { lanes } = await this.misplacedTables(tx);
    await tx.query(boundLockTimeout(HELD_WAIT_MS));
    await tx.query(moveTargets(lanes));
    await tx.query(boundLockTimeout());
    await this.moveAll(tx);
  }

  /** @param from moves only operations of this lane */
  private async moveAll(tx: SqlClient, from?: number): Promise<void> {
    await tx.query(moveWaiting('delayed', from));
    await tx.query(moveWaiting('pending', from));
    const moved = await tx.query<{ moved: number }>(moveOperations(from));
    this.logger.log({ message: 'Tables changed lanes', operations: moved.rows[0]?.moved });
  }

  /**
   * `lanes`: each table that is in a wrong lane, with its right lane. `tied`: the lanes of groups whose tables are in
   * different lanes. The order could be lost only in these.
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
export interface DeferredMove {
  targets: readonly string[];
  /** Nothing is executed in these lanes before the move. */
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

/** Gives lanes to those of the tables that have none. */
async function assignMissing(tx: SqlClient, groups: Groups, assigned: LaneMap): Promise<void> {
  const missing = [...assignLanes(groups, assigned)].filter(([table]) => !assigned.has(table));
  await tx.query(registerLanes(new Map(missing)));
}
