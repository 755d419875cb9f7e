import { textOf, type Value } from './value.js';

/** A row of a table, with all names that it may have. */
export interface HeldRow {
  readonly names: string[];
  /** The values that it may hold. The index is the column's place among the followed columns. */
  readonly columns: (HeldValues | undefined)[];
  /** How many of its names it is not known for what the row held at first, or that it did not exist. */
  unknownNames: number;
}

/** Different values, in the order in which they came. */
class HeldValues {
  readonly list: Value[] = [];
  /** Made when searching the list would take long. Few rows have more than a few values. */
  private texts: Set<string> | undefined;

  /** Returns whether the value is new. */
  add(value: Value): boolean {
    const text = textOf(value);
    if (this.has(text)) return false;
    this.list.push(value);
    if (this.texts !== undefined) this.texts.add(text);
    else if (this.list.length > FEW_VALUES) this.texts = new Set(this.list.map(textOf));
    return true;
  }

  private has(text: string): boolean {
    return this.texts?.has(text) ?? this.list.some((value) => textOf(value) === text);
  }
}

const FEW_VALUES = 8;

export const heldAt = ({ columns }: HeldRow, place: number): readonly Value[] => columns[place]?.list ?? [];

/** Returns whether the row could not hold the value before. */
export const addHeld = ({ columns }: HeldRow, place: number, value: Value): boolean =>
  (columns[place] ??= new HeldValues()).add(value);

/**
 * The rows of one table that operations name or that were read. Two rows become one when their names may belong to one
 * row.
 */
export class HeldRows {
  private readonly knownNames = new Set<string>();
  private readonly byName = new Map<string, HeldRow>();

  /** Makes the row at the first call. */
  row(name: string): HeldRow {
    const known = this.byName.get(name);
    if (known !== undefined) return known;
    const row: HeldRow = { names: [name], columns: [], unknownNames: 1 };
    this.byName.set(name, row);
    return row;
  }

  /** What the row of this name held at first is known. That says nothing of the other names that it may have. */
  know(name: string): void {
    if (this.knownNames.has(name)) return;
    this.knownNames.add(name);
    this.row(name).unknownNames -= 1;
  }

  /** The row that it has become by joining others. */
  current(row: HeldRow): HeldRow {
    return this.row(row.names[0]!);
  }

  all(): ReadonlySet<HeldRow> {
    return new Set(this.byName.values());
  }

  /**
   * Joins the rows of two names. Returns undefined where they are one row already. The smaller row is added to the
   * larger one, because a chain of names that starts from its end would otherwise copy the whole chain each time.
   */
  join(one: string, other: string): HeldRow | undefined {
    const rows = [this.row(one), this.row(other)] as const;
    if (rows[0] === rows[1]) return undefined;
    const [kept, dropped] = sizeOf(rows[0]) < sizeOf(rows[1]) ? [rows[1], rows[0]] : rows;
    kept.unknownNames += dropped.unknownNames;
    for (const [place, values] of dropped.columns.entries()) {
      for (const value of values?.list ?? []) addHeld(kept, place, value);
    }
    for (const name of dropped.names) {
      this.byName.set(name, kept);
      kept.names.push(name);
    }
    return kept;
  }
}

const sizeOf = ({ names, columns }: HeldRow): number =>
  columns.reduce((size, values) => size + (values?.list.length ?? 0), names.length);
