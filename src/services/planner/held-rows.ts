import { textOf, type Value } from './value.js';

/** A row of a table that operations name, or that was read. */
export interface HeldRow {
  readonly name: string;
  /** Different values that it may hold, in the order in which they came. The index is the column's place among the followed columns. */
  readonly columns: (Value[] | undefined)[];
  /** The places and texts of these values. */
  readonly held: Set<string>;
  /** True when it is known what it held at first, or that it did not exist. */
  isKnown: boolean;
}

export const heldAt = ({ columns }: HeldRow, place: number): readonly Value[] => columns[place] ?? [];

/** Returns whether the row could not hold the value before. */
export function addHeld({ columns, held }: HeldRow, place: number, value: Value): boolean {
  const { size } = held;
  if (held.add(`${place} ${textOf(value)}`).size === size) return false;
  (columns[place] ??= []).push(value);
  return true;
}
