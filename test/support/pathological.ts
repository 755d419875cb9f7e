/** What expressions and scanners repeat over: digits and their separators, quotes, brackets, blanks, halves of characters. */
const UNITS = [
  ...['0', '1', '9', 'a', 'f', '_', '1_', '.', '-', '+', 'e', ' ', '\t', '\n', '\ud83d', 'é'],
  ...['"', '""', "'", '\\', '(', ')', ')=(', '{', '}', ',', ', ', 'a,', '/', ':', '%'],
];
const BEGINNINGS = ['', '0x', '0b1', '1e', '1.', '-', '"', 'x'];
/** What comes last decides whether an expression has to try again. */
const ENDS = ['', '!', '1'];

/** Short ones first: what takes exponential time is found before it would take for ever. */
const LENGTHS = [24, 32, 16_384];
const MOST_MS = 50;

/**
 * The first text for which the work takes longer than 50 ms, in words; undefined where it never does. A scan of 16 384
 * characters takes less than a millisecond where its time grows with their number, and 200 ms where it grows with the square.
 *
 * @param around makes the whole text of the part that is repeated
 */
export function firstSlow(
  work: (text: string) => unknown,
  around = (text: string): string => text,
): string | undefined {
  for (const length of LENGTHS) {
    for (const text of pathologicalTexts(length)) {
      const whole = around(text);
      // Twice: the processor may have been busy with something else.
      if (timeOf(work, whole) > MOST_MS && timeOf(work, whole) > MOST_MS) {
        return `${JSON.stringify(whole.slice(0, 50))}… (${whole.length} characters)`;
      }
    }
  }
  return undefined;
}

function* pathologicalTexts(length: number): Generator<string> {
  for (const unit of UNITS) {
    const repeated = unit.repeat(Math.ceil(length / unit.length));
    for (const beginning of BEGINNINGS) {
      for (const end of ENDS) yield `${beginning}${repeated}${end}`;
    }
  }
}

function timeOf(work: (text: string) => unknown, text: string): number {
  const startedAt = performance.now();
  work(text);
  return performance.now() - startedAt;
}
