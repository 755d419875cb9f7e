import { UNKNOWN_SEQUENCE } from '../catalog/table.js';
import { drawnColumns, type OperationShape } from './operation-shape.js';

/** With more, they could take so long that nothing of them is executed before the time-out. A plan may end early. */
const MAX_STATEMENTS = 50;
const NONE: ReadonlySet<string> = new Set();

/**
 * The groups of tables (`Table.group`) whose operations may be executed by shape, without a look at their values: inserts that refer
 * to no row of the chunk. If all of their statements succeed, one by one succeeds too, with the same rows. All that is checked, checks
 * and unique keys, holds for fewer rows if it holds for all of them. If one fails, they have to be undone, and planned with their values.
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
    // Parents before children could make a child succeed that came before its parent.
    !table.foreignKeys.some(({ parent }) => tables.has(parent)) &&
    !drawnSequences(shape).some((sequence) => shared.has(sequence))
  );
}

/** Sequences from which operations of several shapes draw: their values are given out in the order of the operations. */
function sharedSequences(shapes: readonly OperationShape[]): ReadonlySet<string> {
  const drawn = shapes.flatMap((shape) => [...new Set(drawnSequences(shape))]);
  const unknown = drawn.includes(UNKNOWN_SEQUENCE);
  const isShared = (sequence: string, index: number): boolean =>
    (unknown && drawn.length > 1) || drawn.indexOf(sequence) !== index;
  return new Set(drawn.filter(isShared));
}

const drawnSequences = (shape: OperationShape): string[] => drawnColumns(shape).flatMap(({ sequences }) => sequences);
