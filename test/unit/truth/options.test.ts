import { describe, expect, it } from 'vitest';
import { readTruthOptions, UsageError } from '../../truth/options.js';

describe('the options of npm run truth', () => {
  it.each([
    ['an option that there is not', ['--operation', '5'], "Unknown option '--operation'"],
    ['a number that is none', ['--operations', 'many'], '--operations: expected an integer from 1; got many'],
    ['a length that is none', ['--length', '9-3'], '--length: expected two numbers like 2-40; got 9-3'],
    ['a profile that there is not', ['--profile', 'x'], '--profile: there is no x; there are plain, '],
    ['a path without its seed', ['--path', '1/2:3', '--profile', 'plain'], 'give --profile and --seed as well'],
  ])('refuse %s, and say what is wrong', (_, args, message) => {
    const read = () => readTruthOptions(args);
    expect(read).toThrow(UsageError);
    expect(read).toThrow(message);
  });
});
