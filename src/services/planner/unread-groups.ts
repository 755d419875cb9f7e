import { UNKNOWN_SEQUENCE } from '../catalog/table.js';
import { drawnColumns, type OperationShape } from './operation-shape.js';

/** More statements might not end before the time-out, and then none takes effect. A plan may stop early instead. */
const MAX_STATEMENTS = 50;
const NONE: ReadonlySet<string> = new Set();

/**
 * The groups of tables (`Table.group`) whose operations may be executed by shape, without reading their values. These
 * are inserts that refer to no row of the chunk. If all statements succeed, the inserts would succeed one by one too: a
 * check or unique key that accepts all rows also accepts some of them. If one fails, all are undone and planned.
 *
 * @param shapes of all operations of the chunk, each at least once
 */
export function unreadGroups(shapes: Iterable<OperationShape>): ReadonlySet<string> {
  const all = new Map<string, OperationShape>();
  for (const shape of shapes) all.set(shape.signature + (shape.readsStoredRow ? '' : ' given'), shape);
  if (all.size > MAX_STATEMENTS) return NONE;
  const tables = new Set([...all.values()].map(({ table }) => table.id));
  const shared = sharedSequences([...all.values()]);
  const groups = new Set([...all.values()].map(({ table }) => table.group));
  for (const shape of all.values()) if (!isPlain(shape, tables, shared)) groups.delete(shape.table.group);
  return groups;
}

function isPlain(shape: OperationShape, tables: ReadonlySet<string>, shared: ReadonlySet<string>): boolean {
  const { kind, table, readsStoredRow } = shape;
  return (
    kind === 'insert' &&
    readsStoredRow &&
    table.opaque === undefined &&
    // A child that came before its parent has to fail. Executed by shape, it could succeed.
    !table.foreignKeys.some(({ parent }) => tables.has(parent)) &&
    !drawnSequences(shape).some((sequence) => shared.has(sequence))
  );
}

/** Sequences from which several shapes draw. Their values must be given out in the order of the operations. */
function sharedSequences(shapes: readonly OperationShape[]): ReadonlySet<string> {
  const drawn = shapes.flatMap((shape) => [...new Set(drawnSequences(shape))]);
  const unknown = drawn.includes(UNKNOWN_SEQUENCE);
  const isShared = (sequence: string, index: number): boolean =>
    (unknown && drawn.length > 1) || drawn.indexOf(sequence) !== index;
  return new Set(drawn.filter(isShared));
}

const drawnSequences = (shape: OperationShape): string[] => drawnColumns(shape).flatMap(({ sequences }) => sequences);
