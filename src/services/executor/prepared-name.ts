import { createHash } from 'node:crypto';

/** Each costs some 20 kB in every connection that meets it, for as long as the connection lives. */
const MAX_PREPARED = 200;

const names = new Map<string, string>();

/**
 * A name under which connections keep the statement parsed and planned: a third of the time for a statement with one row.
 * Undefined when there are too many already. The same text has the same name, whoever asks.
 */
export function preparedName(text: string): string | undefined {
  const known = names.get(text);
  if (known !== undefined || names.size >= MAX_PREPARED) return known;
  const name = `batch.target.${createHash('sha256').update(text).digest('hex').slice(0, 32)}`;
  names.set(text, name);
  return name;
}
