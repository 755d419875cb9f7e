import type { Random } from '../../test/support/random.js';

export function shuffled<T>(all: readonly T[], random: Random): T[] {
  const result = [...all];
  for (let at = result.length - 1; at > 0; at -= 1) {
    const other = random.integer(0, at);
    [result[at], result[other]] = [result[other]!, result[at]!];
  }
  return result;
}
