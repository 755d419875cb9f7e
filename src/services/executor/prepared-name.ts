import { createHash } from 'node:crypto';
import type { BoundOperation } from '../planner/bound-operation.js';

/** Each is kept in every connection that prepares it, as long as the connection lives: some 20 to 100 kB. */
const MAX_PREPARED = 200;
/** A statement of hundreds of columns takes megabytes. */
const MAX_LENGTH = 4000;

const names = new Map<string, string>();

/**
 * A name under which a session keeps a statement parsed and planned. That saves a part of a millisecond for each time.
 * Null when there are too many names already, or when a rule or trigger of the table may not go with it. The same text always has
 * the same name.
 */
export function preparedName(text: string, { table, kind }: Pick<BoundOperation, 'table' | 'kind'>): string | null {
  // One plan for all sizes would compare each new row with each given one.
  if (table.opaque !== undefined || kind === 'ignore' || text.length > MAX_LENGTH) return null;
  const known = names.get(text);
  if (known !== undefined || names.size >= MAX_PREPARED) return known ?? null;
  const name = `batch.target.${createHash('sha256').update(text).digest('hex').slice(0, 32)}`;
  names.set(text, name);
  return name;
}
