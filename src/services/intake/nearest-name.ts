const MAX_NAME_LENGTH = 63;
const MAX_EDITS = 2;

/** The name that was probably meant: the same in another spelling (`customerId`, `customer_id`), or two edits away. */
export function nearestName(wanted: string, names: Iterable<string>): string | undefined {
  // Longer than any identifier of PostgreSQL. Also keeps the cost of a hostile request down.
  if (wanted.length > MAX_NAME_LENGTH) return undefined;
  const folded = fold(wanted);
  let nearest: string | undefined;
  let fewest = MAX_EDITS + 1;
  for (const name of names) {
    const edits = fold(name) === folded ? 0 : editsBetween(wanted, name, fewest);
    if (edits < fewest) [nearest, fewest] = [name, edits];
  }
  return nearest;
}

function fold(name: string): string {
  return name.toLowerCase().replace(/[^\p{L}\p{N}]/gu, '');
}

/** Levenshtein's distance; `limit` or more is answered as `limit`. */
function editsBetween(one: string, other: string, limit: number): number {
  if (Math.abs(one.length - other.length) >= limit) return limit;
  let row = Array.from({ length: other.length + 1 }, (_, i) => i);
  for (let i = 1; i <= one.length; i++) {
    const above = row;
    row = [i];
    for (let j = 1; j <= other.length; j++) {
      const replaced = (above[j - 1] ?? 0) + (one[i - 1] === other[j - 1] ? 0 : 1);
      row.push(Math.min(replaced, (above[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1));
    }
    if (Math.min(...row) >= limit) return limit;
  }
  return Math.min(row.at(-1) ?? limit, limit);
}
