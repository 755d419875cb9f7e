import type { IOperationError } from '../interfaces/operation.js';
import type { CatalogService } from '../services/catalog/catalog.service.js';
import type { Table } from '../services/catalog/table.js';
import { ServiceError } from '../services/errors/service-error.js';
import { bindOperation, type BoundOperation } from '../services/planner/bound-operation.js';
import { shapeOf, type OperationShape } from '../services/planner/operation-shape.js';
import { unreadGroups } from '../services/planner/unread-groups.js';
import {
  withContents,
  type ClaimedOperation,
  type ClaimedPlace,
  type OperationContents,
  type SettledOperation,
} from '../services/queue/operation-record.js';

/** The operations of a chunk with their tables. */
export interface BoundOperations {
  /** Operations that can be executed without reading their keys and values. */
  unread: BoundOperation[];
  bound: BoundOperation[];
  read: ClaimedOperation[];
  /** Operations whose table, columns or key no longer exist. */
  refused: SettledOperation[];
  /** True when the tables were read from the catalog for this chunk. */
  tablesAreCurrent: boolean;
}

export interface BindOptions {
  catalog: CatalogService;
  read: (places: readonly ClaimedPlace[]) => Promise<ClaimedOperation[]>;
  /** True when the tables must be read again for this chunk. */
  anew: boolean;
  /** False when every operation must be read. */
  mayLeaveUnread: boolean;
}

type Binding = BoundOperation | IOperationError;
type Tables = ReadonlyMap<string, Table | ServiceError>;

/**
 * Binds operations to their current tables, and reads those that cannot be executed by their shapes alone. All
 * operations of a chunk use the same version of the catalog, because a plan with two versions of a table would be
 * wrong.
 */
export async function bindOperations(
  places: readonly ClaimedPlace[],
  { catalog, read, anew, mayLeaveUnread }: BindOptions,
): Promise<BoundOperations> {
  const startedAt = performance.now();
  // Other code in this process may have read the catalog since the last attempt, but too early.
  if (anew) catalog.invalidate();
  const bindOnce = async (): Promise<BoundPlace[]> => {
    const tables = await catalog.tables(places.map(({ storedAs }) => storedAs.target));
    const unread = mayLeaveUnread ? unreadGroupsOf(places, tables) : NO_GROUPS;
    const mustRead = (place: ClaimedPlace): boolean => !unread.has(groupOf(place, tables) ?? '');
    const contents = await read(places.filter(mustRead));
    let next = 0;
    return places.map((place) => {
      const isRead = mustRead(place);
      const operation = isRead ? contents[next++]! : toUnread(place);
      return { operation, isRead, binding: bind(operation, tables) };
    });
  };
  let all = await bindOnce();
  const unfit = all.filter(({ binding }) => isUnfit(binding));
  // The operation was valid when it was accepted, so the table may be newer than the remembered catalog.
  const changed = unfit.length > 0 && (await catalog.forgetIfChanged(unfit.map(({ operation }) => operation.target)));
  if (changed) all = await bindOnce();
  const unread: BoundOperation[] = [];
  const bound: BoundOperation[] = [];
  const refused: SettledOperation[] = [];
  const readOperations = all.filter(({ isRead }) => isRead).map(({ operation }) => operation);
  for (const { operation, isRead, binding } of all) {
    if (isFailure(binding)) refused.push({ operation, outcome: { status: 'failed', error: binding } });
    else if (isRead) bound.push(binding);
    else unread.push(binding);
  }
  return { unread, bound, read: readOperations, refused, tablesAreCurrent: anew || catalog.isNewerThan(startedAt) };
}

interface BoundPlace {
  operation: ClaimedOperation;
  /** False when its contents are missing. */
  isRead: boolean;
  binding: Binding;
}

const NO_GROUPS: ReadonlySet<string> = new Set();

function groupOf({ storedAs }: ClaimedPlace, tables: Tables): string | undefined {
  const table = tables.get(storedAs.target)!;
  return table instanceof ServiceError ? undefined : table.group;
}

function unreadGroupsOf(places: readonly ClaimedPlace[], tables: Tables): ReadonlySet<string> {
  const kinds = new Map(places.map((place) => [place.storedAs, place]));
  const shapes: OperationShape[] = [];
  const unknown = new Set<string>();
  for (const place of kinds.values()) {
    const table = tables.get(place.storedAs.target)!;
    if (table instanceof ServiceError) continue;
    const shape = place.storedAs.byColumn ? shapeOf(toUnread(place), table) : undefined;
    if (shape === undefined || 'code' in shape) unknown.add(table.group);
    else shapes.push(shape);
  }
  return new Set([...unreadGroups(shapes)].filter((group) => !unknown.has(group)));
}

const NOT_READ: OperationContents = { id: '', key: null, values: null, retryLimit: null, retryOn: null };

const toUnread = (place: ClaimedPlace): ClaimedOperation => withContents(place, NOT_READ);

function bind(operation: ClaimedOperation, tables: Tables): Binding {
  const table = tables.get(operation.target)!;
  return table instanceof ServiceError ? gone(table) : bindOperation(operation, table);
}

/** Adds the code of PostgreSQL for a missing table. */
function gone({ code, message }: ServiceError): IOperationError {
  return { code, message, ...(code === 'UNKNOWN_TARGET' && { sqlState: '42P01' }) };
}

const isFailure = (binding: Binding): binding is IOperationError => 'code' in binding;

/**
 * True when the table exists, but the operation does not fit it. For a missing table, the catalog was already read
 * again.
 */
const isUnfit = (binding: Binding): boolean =>
  isFailure(binding) && binding.code !== 'UNKNOWN_TARGET' && binding.code !== 'TARGET_NOT_ALLOWED';
