const SHOWN = 5;
const COUNTED = 1000;

/** So many are needed for `listSome`. It says of a longer list only that there are more. */
export const MOST_LISTED = SHOWN + COUNTED + 1;

/**
 * The first five, and how many more there are: for a message about what a caller has sent, which may be any number of
 * things.
 *
 * @param say the text of one; called for those that are shown
 * @param more the last part of the list
 */
export function listSome<T>(
  items: readonly T[],
  say: (item: T) => string,
  separator: string,
  more = (count: string) => `and ${count} more`,
): string {
  const rest = items.length - SHOWN;
  const shown = items.slice(0, SHOWN).map(say);
  if (rest > 0) shown.push(more(rest > COUNTED ? `more than ${COUNTED}` : String(rest)));
  return shown.join(separator);
}
