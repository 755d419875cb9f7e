import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OperationRunner } from '../../src/jobs/operation-runner.js';
import { PhaseTimer } from '../../src/services/queue/phase-timer.js';
import { ExecutorService } from '../../src/services/executor/executor.service.js';
import { createFunctions } from '../support/create-functions.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import type { TestOperation } from '../support/serial-oracle.js';
import { casesOf, setUpOf } from '../truth/case.js';
import { furnish } from '../truth/database.js';
import { profileNamed } from '../truth/profiles/profiles.js';
import { ChunkSession, THROW_BUGS } from './support/chunk-session.js';
import { outcomeText } from './support/outcome-text.js';

const RUNS = 40;
const PROFILES = ['unique-inserts-deletes', 'unique-updates', 'few-rows', 'references'].map(profileNamed);
const DUMP = `select coalesce(json_agg(row order by row)::text, '') as rows from (%) s(row)`;

describe('the same operations', () => {
  let database: TestDatabase;
  let session: ChunkSession;
  let dump: string;

  beforeAll(async () => {
    database = await createTestDatabase({ migrated: false });
    await furnish(database.connection);
    await createFunctions(database.client);
    await database.client.query(`alter database ${database.name} set search_path = public, shared`);
    session = await ChunkSession.open(database);
    await session.client.query(PROFILES.map(({ ddl }) => ddl).join('\n'));
    const { rows } = await session.client.query<{ name: string }>(
      `select relname as name from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace order by 1`,
    );
    dump = DUMP.replace(
      '%',
      rows.map(({ name }) => `select '${name} ' || t::text from "${name}" t`).join(' union all '),
    );
  });
  afterAll(async () => {
    await session?.close();
    await database?.drop();
  });

  interface Result {
    outcomes: string[];
    rows: string;
  }

  /** In chunks of this size, one after the other. */
  async function run(setUp: string, operations: readonly TestOperation[], chunkSize: number): Promise<Result> {
    const bound = await session.bind(operations);
    return session.inTransaction(async () => {
      if (setUp !== '') await session.client.query(setUp);
      const runner = new OperationRunner('grouped', new ExecutorService(), THROW_BUGS);
      const outcomes: string[] = [];
      for (let next = 0; next < bound.length; next += chunkSize) {
        const chunk = await runner.run(session.tx, bound.slice(next, next + chunkSize), new PhaseTimer('plan'));
        outcomes.push(...chunk.outcomes.map(outcomeText));
      }
      const { rows } = await session.client.query<{ rows: string }>(dump);
      return { outcomes, rows: rows[0]!.rows };
    });
  }

  it.each(PROFILES)('give the same wherever chunks end: $name', async (profile) => {
    await fc.assert(
      fc.asyncProperty(casesOf(profile), async ({ start, operations }) => {
        const whole = await run(setUpOf(start), operations, operations.length);
        for (const size of [1, 2, 7]) expect(await run(setUpOf(start), operations, size)).toEqual(whole);
      }),
      { numRuns: RUNS, seed: 20_261_121 },
    );
  });

  it('give the same in any order of those that have nothing to do with one another', async () => {
    // Each profile has tables of its own, tied to no other's.
    const all = fc.tuple(...PROFILES.map((profile) => casesOf(profile, { min: 1, max: 8 })));
    const inTurns = all.chain((cases) => {
      const turns = cases.flatMap(({ operations }, index) => operations.map(() => index));
      const shuffled = fc.shuffledSubarray([...turns.keys()], { minLength: turns.length, maxLength: turns.length });
      return fc.tuple(
        fc.constant(cases),
        shuffled.map((order) => order.map((at) => turns[at]!)),
      );
    });
    await fc.assert(
      fc.asyncProperty(inTurns, async ([cases, turns]) => {
        const setUp = cases.map(({ start }) => setUpOf(start)).join(';');
        const inOrder = cases.flatMap(({ operations }) => operations);
        const ranks = mergedRanks(
          cases.map(({ operations }) => operations.length),
          turns,
        );
        const merged = ranks.map((rank) => inOrder[rank]!);
        const expected = await run(setUp, inOrder, inOrder.length);
        const found = await run(setUp, merged, merged.length);
        expect(found).toEqual({ ...expected, outcomes: ranks.map((rank) => expected.outcomes[rank]) });
      }),
      { numRuns: RUNS, seed: 20_261_121 },
    );
  });
});

/** Where each operation of the merged lists stands when they are joined: each list keeps its order. */
function mergedRanks(lengths: readonly number[], turns: readonly number[]): number[] {
  const next = lengths.map((_, index) => lengths.slice(0, index).reduce((sum, length) => sum + length, 0));
  return turns.map((list) => next[list]!++);
}
