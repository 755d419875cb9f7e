/** Whether a text has at most so many characters, counted as in PostgreSQL: a pair of surrogates is one. Pure. */
export function hasAtMost(text: string, characters: number): boolean {
  if (text.length <= characters) return true;
  let count = 0;
  for (const _ of text) {
    count += 1;
    if (count > characters) return false;
  }
  return true;
}
