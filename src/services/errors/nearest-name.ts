const MAX_EDITS = 2;
/** Longer than any real name, so it is not compared. */
const LONGEST_NAME = 200;

/** The end of a message about an unknown name: `; did you mean "orders"?`, or an empty text when no name is similar. */
export function didYouMean(wanted: string, names: Iterable<string>): string {
  const nearest = nearestName(wanted, names);
  return nearest === undefined ? '' : `; did you mean ${JSON.stringify(nearest)}?`;
}

/**
 * The name that was probably meant: the same in another spelling (`customerId`, `customer_id`), or at most two edits
 * away.
 */
export function nearestName(wanted: string, names: Iterable<string>): string | undefined {
  if (wanted.length > LONGEST_NAME) return undefined;
  const folded = fold(wanted);
  let nearest: string | undefined;
  let fewest = MAX_EDITS + 1;
  for (const name of names) {
    const edits = fold(name) === folded ? 0 : editsBetween(wanted, name, fewest);
    if (edits < fewest) [nearest, fewest] = [name, edits];
  }
  return nearest;
}

/** The name without differences in spelling: upper case, hyphens, underscores. */
export function fold(name: string): string {
  return name.toLowerCase().replace(/[^\p{L}\p{N}]/gu, '');
}

/** Levenshtein's distance. `limit` or more is returned as `limit`. */
export function editsBetween(one: string, other: string, limit: number): number {
  if (Math.abs(one.length - other.length) >= limit) return limit;
  const start = commonStart(one, other);
  const end = commonEnd(one, other, start);
  return editsBetweenUnlike(one.slice(start, one.length - end), other.slice(start, other.length - end), limit);
}

function commonStart(one: string, other: string): number {
  let length = 0;
  while (length < one.length && one[length] === other[length]) length++;
  return length;
}

function commonEnd(one: string, other: string, start: number): number {
  const most = Math.min(one.length, other.length) - start;
  let length = 0;
  while (length < most && one.at(-1 - length) === other.at(-1 - length)) length++;
  return length;
}

function editsBetweenUnlike(one: string, other: string, limit: number): number {
  const row = Array.from({ length: other.length + 1 }, (_, j) => j);
  for (let i = 1; i <= one.length; i++) {
    let diagonal = i - 1;
    row[0] = i;
    let fewest = i;
    for (let j = 1; j <= other.length; j++) {
      const replaced = diagonal + (one[i - 1] === other[j - 1] ? 0 : 1);
      diagonal = row[j]!;
      row[j] = Math.min(replaced, diagonal + 1, row[j - 1]! + 1);
      fewest = Math.min(fewest, row[j]!);
    }
    if (fewest >= limit) return limit;
  }
  return Math.min(row.at(-1)!, limit);
}
