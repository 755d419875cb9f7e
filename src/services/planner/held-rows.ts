import { textOf, type Value } from './value.js';

/** A row of a table that operations name, or that was read. */
export interface HeldRow {
  readonly name: string;
  /** The values that it may hold. The index is the column's place among the followed columns. */
  readonly columns: (HeldValues | undefined)[];
  /** True when it is known what it held at first, or that it did not exist. */
  isKnown: boolean;
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
