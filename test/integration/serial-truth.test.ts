import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Rule } from '../../src/services/planner/rules.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { furnish, withProfile } from '../truth/database.js';
import { huntMutant } from '../truth/hunt-mutant.js';
import { profileNamed, PROFILES } from '../truth/profiles/profiles.js';
import { runProfile, type ProfileResult, type ProfileRun } from '../truth/run-profile.js';
import { weaknessesOf } from '../truth/tally.js';

/**
 * What every test run has of `npm run truth`. Another seed or more sequences:
 * `TRUTH_SEED=7 TRUTH_RUNS=1000 npm run test:integration -- serial-truth`.
 */
const SEED = Number(process.env.TRUTH_SEED ?? 20_261_121);
const RUNS = Number(process.env.TRUTH_RUNS ?? 40);
const OPERATIONS_PER_RUN = 8;

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase({ migrated: false });
  await furnish(database.connection);
});
afterAll(async () => {
  await database?.drop();
});

function run(name: string, given: Partial<ProfileRun>): Promise<ProfileResult> {
  const profile = profileNamed(name);
  const whole = { seed: SEED, share: 1, operations: RUNS * OPERATIONS_PER_RUN, ...given };
  return withProfile(database.connection, profile, (oracle) => runProfile(oracle, profile, whole));
}

describe('random operations, grouped and one by one', () => {
  it.each(PROFILES)(
    'give the same outcomes and tables: $name',
    async (profile) => {
      const { tally, divergence } = await run(profile.name, {});
      expect(divergence?.described).toBeUndefined();
      expect(tally.operations).toBeGreaterThanOrEqual(RUNS * OPERATIONS_PER_RUN);
      expect(weaknessesOf(profile, tally)).toEqual([]);
    },
    120_000 + RUNS * 100,
  );
});

describe('a planner that lacks a rule', () => {
  const SHORT = { seed: SEED, operations: 6000, kills: 3 };

  it.each<{ rule: Rule; profile: string }>([
    { rule: 'same row', profile: 'few-rows' },
    { rule: 'unique value', profile: 'unique-inserts-deletes' },
    { rule: 'missing parent', profile: 'references' },
  ])(
    'is found out: $rule',
    async ({ rule, profile }) => {
      const { kills, first } = await withProfile(database.connection, profileNamed(profile), (oracle) =>
        huntMutant(oracle, profileNamed(profile), rule, SHORT),
      );
      expect(kills).toBe(SHORT.kills);
      expect(first).toBeDefined();
    },
    120_000,
  );

  it('is shown by a case that can be replayed by its path', async () => {
    const without = new Set<Rule>(['same row']);
    const { divergence } = await run('few-rows', { without, operations: 6000 });
    const path = divergence!.path.replace(/^1\//, '');
    const again = await run('few-rows', { without, operations: 1, path });
    expect(again.divergence).toEqual(divergence);
    expect(divergence!.described).toMatch(/^Operations:$/m);
  }, 120_000);
});

describe('npm run truth', () => {
  function truth(...args: string[]): Promise<{ code: number; output: string }> {
    const program = resolve(import.meta.dirname, '../truth/main.ts');
    return new Promise((settle) => {
      execFile(process.execPath, ['--import', 'tsx', program, ...args], (error, stdout, stderr) => {
        settle({ code: error === null ? 0 : Number(error.code), output: stdout + stderr });
      });
    });
  }

  it('ends with 0 and a line for each profile when all agree', async () => {
    const { code, output } = await truth('--operations', '300', '--seed', '1', '--profile', 'few-rows');
    expect(output).toMatch(/^few-rows +3\d\d /m);
    expect(output).toContain('0 divergences');
    expect(code).toBe(0);
  }, 60_000);

  it('ends with 1 and says how to see it again when something differs', async () => {
    const args = ['--seed', '1', '--profile', 'few-rows', '--without', 'same row'];
    const { code, output } = await truth('--operations', '4000', '--workers', '1', ...args);
    const path = /--path (\S+)/.exec(output)?.[1];
    expect(path).toMatch(/^1\/\d+:/);
    expect(code).toBe(1);
    const again = await truth('--path', path!, ...args);
    expect(again.output).toContain(/DIVERGENCE[\s\S]+?Again:/.exec(output)![0]);
    expect(again.code).toBe(1);
  }, 120_000);

  it.each([
    ['an option that there is not', ['--operation', '5'], "Unknown option '--operation'"],
    ['a number that is none', ['--operations', 'many'], '--operations: expected an integer from 1; got many'],
    ['a length that is none', ['--length', '9-3'], '--length: expected two numbers like 2-40; got 9-3'],
    ['a profile that there is not', ['--profile', 'x'], '--profile: there is no x; there are plain, '],
    ['a path without its seed', ['--path', '1/2:3', '--profile', 'plain'], 'give --profile and --seed as well'],
  ])(
    'ends with 2 and says what is wrong: %s',
    async (_, args, message) => {
      const { code, output } = await truth(...args);
      expect(output).toContain(message);
      expect(code).toBe(2);
    },
    30_000,
  );
});
