import { Inject, Injectable, Logger } from '@nestjs/common';
import { SETTINGS, type Settings } from '../config/settings.js';
import { DatabaseService } from '../database/database.service.js';
import { ServiceError } from '../errors/service-error.js';
import { ownValue } from '../values/own-value.js';
import { readCheckExpressions } from './check-expressions.js';
import { toCatalogGraph, type CatalogGraph } from './catalog-graph.js';
import { selectOverview, type OverviewRow } from './overview.sql.js';
import { selectRelations, type FoundRelation } from './relations.sql.js';
import { SecondLook } from './second-look.js';
import { quoteForMessage } from '../errors/quote-for-message.js';
import type { Table } from './table.js';
import { selectTables, type TableRow } from './tables.sql.js';
import { TargetList } from './target-list.js';
import { parseTargetName, tableId } from './target-name.js';
import { toTable } from './to-table.js';

const MAX_AGE_MS = 60_000;

const TABLE_KINDS = ['r', 'p'];
const OTHER_KINDS: Readonly<Record<string, string>> = {
  v: 'a view',
  m: 'a materialized view',
  f: 'a foreign table',
  S: 'a sequence',
};

interface Snapshot {
  /** When the reading began, in milliseconds of the monotonic clock. */
  takenAt: number;
  graph: CatalogGraph;
  /** What was read of tables so far. Undefined when a table no longer agrees with the graph. */
  tables: Map<string, Promise<Table | undefined>>;
  /** See `tableIds`. Undefined until the first request. */
  targets?: string[];
  /** `RELATION_MARK` of each of these tables. */
  marks: Map<string, string>;
}

/**
 * Answers from memory, as long as possible, what PostgreSQL's catalog says about the targets of operations. A new table
 * is found at once. A caller of `forgetIfChanged` refuses nothing because of an outdated table. Every other
 * change is seen after a minute at the latest. Questions about things that do not exist cost the database almost
 * nothing. Intake decides whether an operation fits its table. The executor handles operations whose table has gone.
 */
@Injectable()
export class CatalogService {
  private readonly logger = new Logger(CatalogService.name);
  private readonly allowed: TargetList;
  private readonly serial: TargetList;
  private snapshot: Snapshot | undefined;
  private reading: Promise<Snapshot> | undefined;
  private lastTie: string | undefined;
  private readonly warned = new Set<string>();
  private readonly secondLook = new SecondLook((ids) => this.askFor(ids));

  constructor(
    private readonly database: DatabaseService,
    @Inject(SETTINGS) settings: Settings,
  ) {
    this.allowed = TargetList.allowed(settings.intake.allowedTargets);
    this.serial = TargetList.serial(settings.execution.serialTargets);
  }

  /**
   * @param targets as callers write them: `table`, `schema.table`, or a `Table.id`
   * @returns for each given text, the table or the reason why it is none (`UNKNOWN_TARGET`, `TARGET_NOT_ALLOWED`)
   * @throws any error of the database when it cannot be asked
   */
  async tables(targets: readonly string[]): Promise<Map<string, Table | ServiceError>> {
    const asked = [...new Set(targets)].map((target) => ({ target, id: this.permittedId(target) }));
    const ids = asked.map(({ id }) => id).filter((id) => typeof id === 'string');
    const found = await this.find(ids);
    return new Map(
      asked.map(({ target, id }) => [
        target,
        id instanceof ServiceError ? id : (found.get(id) ?? this.unknown(target, id)),
      ]),
    );
  }

  /** @throws ServiceError UNKNOWN_TARGET, TARGET_NOT_ALLOWED */
  async table(target: string): Promise<Table> {
    const table = (await this.tables([target])).get(target);
    if (table === undefined || table instanceof ServiceError) throw table ?? unknownTarget(target);
    return table;
  }

  /** The tables (`Table.id`) that operations may name, as far as they are known now. */
  tableIds(): readonly string[] {
    const { snapshot } = this;
    if (snapshot === undefined) return [];
    snapshot.targets ??= [...snapshot.graph.relations]
      .filter(([id, relation]) => isTable(snapshot.graph, id) && this.allowed.includes(relation))
      .map(([id]) => id);
    return snapshot.targets;
  }

  /** `Table.group` of those tables (`Table.id`) that exist. */
  async groups(ids: readonly string[]): Promise<Map<string, string>> {
    const { graph } = await this.current();
    return new Map(ids.filter((id) => graph.relations.has(id)).map((id) => [id, graph.group(id)]));
  }

  /** Forgets everything. Call it when the catalog proved stale. */
  invalidate(): void {
    this.snapshot = undefined;
    this.reading = undefined;
  }

  /**
   * Forgets everything when one of these tables has changed since it was read, or when one exists that is not known.
   * Call it before refusing something because of these tables. Even for a large catalog it costs one small query.
   *
   * @param ids of tables (`Table.id`)
   * @returns true when there is something new to read
   */
  async forgetIfChanged(ids: readonly string[]): Promise<boolean> {
    const { snapshot } = this;
    const found = await this.secondLook.look(ids);
    if (snapshot === undefined || this.snapshot !== snapshot) return true;
    if (ids.every((id) => isAsRemembered(snapshot, id, found.get(id)))) return false;
    this.invalidate();
    return true;
  }

  /** True when the remembered catalog was read after this moment, by `performance.now()`. */
  isNewerThan(moment: number): boolean {
    return this.snapshot !== undefined && this.snapshot.takenAt >= moment;
  }

  private permittedId(target: string): string | ServiceError {
    const name = parseTargetName(target);
    if (name === undefined) return unreadableTarget(target);
    if (this.allowed.includes(name)) return tableId(name);
    return new ServiceError(
      'TARGET_NOT_ALLOWED',
      `Operations on ${quoteForMessage(target)} are not allowed; BATCH_ALLOWED_TARGETS lists the allowed tables`,
      { target },
    );
  }

  private async find(ids: readonly string[]): Promise<Map<string, Table>> {
    if (ids.length === 0) return new Map();
    const askedAt = performance.now();
    const snapshot = await this.current();
    const found = await this.read(snapshot, ids);
    const missing = ids.filter((id) => !found.has(id));
    if (missing.length === 0) return found;
    // If the snapshot names a table that has changed since, the snapshot is stale. If it lacks a name, that proves
    // nothing.
    if (missing.some((id) => isTable(snapshot.graph, id))) this.invalidate();
    else if (snapshot.takenAt > askedAt || !(await this.forgetIfChanged(missing))) return found;
    return this.read(await this.current(), ids);
  }

  private async askFor(ids: readonly string[]): Promise<Map<string, FoundRelation>> {
    const names = ids.map((id) => parseTargetName(id)).filter((name) => name !== undefined);
    const { rows } = await this.database.query<FoundRelation>(selectRelations(names));
    return new Map(rows.map((row) => [tableId(row), row]));
  }

  private async current(): Promise<Snapshot> {
    if (this.snapshot !== undefined && performance.now() - this.snapshot.takenAt < MAX_AGE_MS) return this.snapshot;
    this.reading ??= this.startReading();
    return this.reading;
  }

  private startReading(): Promise<Snapshot> {
    const reading = takeSnapshot(this.database, this.serial)
      .then((snapshot) => {
        // After an invalidation the snapshot is good enough for the callers that wait for it, but must not be kept.
        if (this.reading === reading) this.keep(snapshot);
        return snapshot;
      })
      .finally(() => {
        if (this.reading === reading) this.reading = undefined;
      });
    return reading;
  }

  private keep(snapshot: Snapshot): void {
    this.snapshot = snapshot;
    const { tie } = snapshot.graph;
    if (tie !== undefined && tie !== this.lastTie) {
      this.logger.log({
        message: 'All tables share one lane, because one of them may influence all others',
        because: tie,
      });
    }
    this.lastTie = tie;
    this.warnOfUnknownTargets(snapshot.graph);
  }

  /** A misspelt name in a setting for safety must not go unnoticed. */
  private warnOfUnknownTargets({ relations }: CatalogGraph): void {
    for (const id of this.serial.named.map(tableId)) {
      if (relations.has(id) || this.warned.has(id)) continue;
      this.warned.add(id);
      this.logger.warn({ message: `BATCH_SERIAL_TARGETS lists ${id}, but there is no such table`, target: id });
    }
  }

  /**
   * Reads tables of one snapshot. Each is read once, several are read together, and concurrent callers share the
   * reading.
   */
  private async read(snapshot: Snapshot, ids: readonly string[]): Promise<Map<string, Table>> {
    const missing = ids.filter((id) => !snapshot.tables.has(id) && isTable(snapshot.graph, id));
    if (missing.length > 0) readTables(this.database, snapshot, missing);
    const found = new Map<string, Table>();
    for (const id of ids) {
      const table = await snapshot.tables.get(id);
      if (table !== undefined) found.set(id, table);
    }
    return found;
  }

  private unknown(target: string, id: string): ServiceError {
    const kind = ownValue(OTHER_KINDS, this.snapshot?.graph.relations.get(id)?.kind ?? '');
    return kind === undefined
      ? unknownTarget(target)
      : unknownTarget(target, { reason: `${quoteForMessage(target)} is ${kind}, not a table`, kind });
  }
}

/** A table that was not read yet cannot be out of date. */
function isAsRemembered({ graph, marks }: Snapshot, id: string, found: FoundRelation | undefined): boolean {
  return graph.relations.get(id)?.oid === found?.oid && (marks.get(id) ?? found?.mark) === found?.mark;
}

async function takeSnapshot(database: DatabaseService, serial: TargetList): Promise<Snapshot> {
  const takenAt = performance.now();
  const { rows } = await database.query<OverviewRow>(selectOverview());
  const [overview] = rows;
  if (overview === undefined) throw new Error('The query of the catalog returned no row');
  const graph = toCatalogGraph(overview, (table) => serial.includes(table));
  return { takenAt, graph, tables: new Map(), marks: new Map() };
}

function isTable(graph: CatalogGraph, id: string): boolean {
  return TABLE_KINDS.includes(graph.relations.get(id)?.kind ?? '');
}

function readTables(database: DatabaseService, snapshot: Snapshot, ids: readonly string[]): void {
  const { tables } = snapshot;
  const reading = readAll(database, snapshot, ids);
  for (const id of ids) {
    const table = reading.then((read) => read.get(id));
    tables.set(id, table);
    // Callers that wait get an error of the connection, but it is not remembered.
    table.catch(() => tables.delete(id));
  }
}

async function readAll(
  database: DatabaseService,
  { graph, marks }: Snapshot,
  ids: readonly string[],
): Promise<Map<string, Table | undefined>> {
  const { rows } = await database.query<TableRow>(selectTables(ids.map((id) => graph.relations.get(id)?.oid ?? 0)));
  for (const row of rows) marks.set(tableId(row), row.mark);
  const checked = rows.filter(({ checks }) => checks.length > 0);
  const expressions = await readCheckExpressions(
    database,
    checked.map(({ oid }) => oid),
  );
  return new Map(rows.map((row) => [tableId(row), toTable(row, graph, expressions)]));
}

function unreadableTarget(target: string): ServiceError {
  const how = 'a name with a dot or a double quote is written in double quotes, such as public."orders.2026"';
  return new ServiceError('UNKNOWN_TARGET', `${quoteForMessage(target)} is neither table nor schema.table; ${how}`, {
    target,
  });
}

function unknownTarget(target: string, other?: { reason: string; kind: string }): ServiceError {
  const reason = other?.reason ?? `There is no table ${quoteForMessage(target)}`;
  return new ServiceError(
    'UNKNOWN_TARGET',
    `${reason}. Write table (in schema public) or schema.table, with upper and lower case as the table was created`,
    { target, ...(other && { kind: other.kind }) },
  );
}
