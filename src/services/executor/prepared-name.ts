import { createHash } from 'node:crypto';
import type { BoundOperation } from '../planner/bound-operation.js';

/** Each costs about 20 kB in every connection that prepares it, as long as the connection lives. */
const MAX_PREPARED = 200;

const names = new Map<string, string>();

/**
 * A name under which a session keeps a statement parsed and planned. That saves half of the time of a statement with few rows.
 * Null when there are too many names already, or when a rule or trigger of the table may not go with it. The same text always has
 * the same name.
 */
export function preparedName(text: string, { table, kind }: Pick<BoundOperation, 'table' | 'kind'>): string | null {
  // One plan for all sizes would compare each new row with each given one.
  if (table.opaque !== undefined || kind === 'ignore') return null;
  const known = names.get(text);
  if (known !== undefined || names.size >= MAX_PREPARED) return known ?? null;
  const name = `batch.target.${createHash('sha256').update(text).digest('hex').slice(0, 32)}`;
  names.set(text, name);
  return name;
}
