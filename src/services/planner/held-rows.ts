import { textOf, type Value } from './value.js';

/** A row of a table that operations name, or that was read. */
export interface HeldRow {
  readonly name: string;
  /** The different values that it may hold, in the order of arrival. The index is the place of the followed column. */
  readonly columns: (Value[] | undefined)[];
  /** The places and texts of these values. */
  readonly held: Set<string>;
  /** True when it is known which values it held at first, or that it did not exist. */
  isKnown: boolean;
}

export const heldAt = ({ columns }: HeldRow, place: number): readonly Value[] => columns[place] ?? [];

/** Returns true when the value is new to the row. */
export function addHeld({ columns, held }: HeldRow, place: number, value: Value): boolean {
  const { size } = held;
  if (held.add(`${place} ${textOf(value)}`).size === size) return false;
  (columns[place] ??= []).push(value);
  return true;
}
