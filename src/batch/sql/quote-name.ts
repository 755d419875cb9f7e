/** A name as SQL takes it, whatever characters it has. */
export const quoteName = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** `schema.table`, or `table`, which the search path finds. */
export function quoteTable(table: string): string {
  const dot = table.indexOf('.');
  if (dot === -1) return quoteName(table);
  return `${quoteName(table.slice(0, dot))}.${quoteName(table.slice(dot + 1))}`;
}
