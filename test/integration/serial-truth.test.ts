import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Rule } from '../../src/services/planner/rules.js';
import type { unreadGroups } from '../../src/services/planner/unread-groups.js';
import { shapeRequest, type ShapeOperation } from '../support/bind-operations.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { furnish, withProfile } from '../truth/database.js';
import { huntMutant } from '../truth/hunt-mutant.js';
import { profileNamed, PROFILES } from '../truth/profiles/profiles.js';
import { runProfile, type Mutation, type ProfileResult, type ProfileRun } from '../truth/run-profile.js';

/**
 * What every test run has of `npm run truth`. Another seed or more sequences:
 * `TRUTH_SEED=7 TRUTH_RUNS=1000 npm run test:integration -- serial-truth`.
 */
const SEED = Number(process.env.TRUTH_SEED ?? 20_261_121);
const RUNS = Number(process.env.TRUTH_RUNS ?? 25);
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
    const without: readonly Rule[] = ['same row'];
    const { divergence } = await run('few-rows', { without, operations: 6000 });
    const path = divergence!.path.replace(/^1\//, '');
    const again = await run('few-rows', { without, operations: 1, path });
    expect(again.divergence).toEqual(divergence);
    expect(divergence!.described).toMatch(/^Operations:$/m);
  }, 120_000);
});

describe('a mistake before or after the planner', () => {
  const everyGroup: typeof unreadGroups = (shapes) => new Set([...shapes].map(({ table }) => table.group));
  const onlyInserts: typeof unreadGroups = (shapes) => {
    const all = [...shapes];
    return all.every(({ kind }) => kind === 'insert') ? everyGroup(all) : new Set();
  };
  const alteredRow =
    (alter: (text: string) => string): ShapeOperation =>
    (request, table, conflictKey) => {
      const { shape, row } = shapeRequest(request, table, conflictKey);
      return { shape, row: alter(row) };
    };

  it.each<[what: string, profile: string, mutation: Mutation]>([
    ['executes updates and deletes unread', 'few-rows', { unread: everyGroup }],
    ['executes upserts unread', 'identity', { unread: everyGroup }],
    ['executes inserts unread that refer to one another', 'unread-references', { unread: onlyInserts }],
    ['draws values of a sequence in another order', 'unread-sequences', { unread: onlyInserts }],
    [
      'stores numbers as JavaScript writes them',
      'unread-inserts',
      {
        shapeOperation: alteredRow((row) => JSON.stringify(JSON.parse(row))),
      },
    ],
    [
      'stores documents as JavaScript writes them',
      'unread-inserts',
      {
        shapeOperation: alteredRow((row) =>
          JSON.stringify(
            (JSON.parse(row) as unknown[]).map((cell) =>
              typeof cell === 'string' && cell.startsWith('{"') ? JSON.stringify(JSON.parse(cell)) : cell,
            ),
          ),
        ),
      },
    ],
    [
      'loses the order of the columns',
      'unread-inserts',
      {
        shapeOperation: alteredRow((row) => JSON.stringify((JSON.parse(row) as unknown[]).toReversed())),
      },
    ],
    [
      'tells inserts apart that were not read, and ends the chunk among them',
      'unread-inserts',
      { unreadEndsEarly: true },
    ],
    ['loses the first operation that it left', 'few-rows', { leave: (left) => left.slice(1) }],
    ['executes what it left in another order', 'few-rows', { leave: (left) => left.toReversed() }],
  ])(
    'is found out: one that %s',
    async (_what, profile, mutation) => {
      const { divergence } = await run(profile, { operations: 8000, mutation, shrinkingMs: 0 });
      expect(divergence).toBeDefined();
    },
    120_000,
  );
});
