import { refusedRow } from '../sql/refused-row.js';
import { encodeValue, type ValueForm } from './encode-value.js';
import { memberOf } from './item-columns.js';

/**
 * The values of an item as a JSON array of texts, and null for NULL.
 *
 * @throws DatabaseError 22021 for a text with U+0000, which no text of PostgreSQL contains; RangeError for an invalid date
 */
export function encodeItem(item: object, columns: readonly (ValueForm & { name: string })[]): string {
  const cells = columns.map((column) => encodeValue(memberOf(item, column.name), column));
  const json = JSON.stringify(cells);
  if (!json.includes('\\u')) return json;
  const withNul = cells.findIndex((cell) => cell?.includes('\0') === true);
  if (withNul !== -1) throw hasNul(columns[withNul]!.name);
  // The driver sends half a surrogate pair as U+FFFD too.
  return JSON.stringify(cells.map((cell) => cell?.toWellFormed() ?? null));
}

/** As PostgreSQL says it. In JSON the character would make the rows of all items unreadable. */
const hasNul = (column: string): Error =>
  refusedRow({ code: '22021', message: `invalid byte sequence for encoding "UTF8": 0x00 (column "${column}")` });
