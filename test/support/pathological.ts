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
/** The first calls may be compiled or followed by a garbage collection, which takes time of the processor as well. */
const TRIES = 5;

/**
 * The first text for which the work takes longer than 50 ms of the processor, in words; undefined where it never does. A scan of 16 384
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
      if (isSlow(work, whole)) {
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

function isSlow(work: (text: string) => unknown, text: string): boolean {
  for (let tries = 0; tries < TRIES; tries += 1) if (processorMsOf(work, text) <= MOST_MS) return false;
  return true;
}

/** Not the time that passes: other processes of a busy machine take the processor for longer than a limit. */
export function processorMsOf<Argument>(work: (argument: Argument) => unknown, argument: Argument): number {
  const before = process.cpuUsage();
  work(argument);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}
