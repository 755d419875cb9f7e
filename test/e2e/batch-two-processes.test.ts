import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { migrateBatchSchema } from '../../src/batch/repository/schema.js';
import { startBatchProcess, type BatchProcess } from '../support/batch-process/batch-process.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { PoolDatabase } from '../../src/batch/sql/pool-database.js';

const ROUNDS = 100;
/** Longer than a message takes to both processes. */
const AHEAD_MS = 15;

describe('two processes that start the same job instance at once', () => {
  let test: TestDatabase;
  let processes: BatchProcess[];
  beforeAll(async () => {
    test = await createTestDatabase({ migrated: false });
    await migrateBatchSchema(new PoolDatabase(test.client));
    const options = { connection: test.connection, leaseMs: 60_000 };
    processes = await Promise.all([startBatchProcess(options), startBatchProcess(options)]);
  });
  afterAll(async () => {
    await Promise.all((processes ?? []).map((each) => each.end()));
    await test?.drop();
  });

  /** The answers of both. What runs is ended after both have answered. */
  async function round(numbers: readonly [number, number]): Promise<string[]> {
    for (const each of processes) each.order({ do: 'hold' });
    const at = Date.now() + AHEAD_MS;
    processes.forEach((each, index) => each.order({ do: 'start', job: 'wait', round: numbers[index]!, at }));
    const answers = await Promise.all(processes.map((each) => each.next('started', 'refused')));
    for (const each of processes) each.order({ do: 'go on' });
    for (const [index, { is }] of answers.entries()) {
      if (is === 'started') expect((await processes[index]!.next('ended')).status).toBe('COMPLETED');
    }
    return answers.map((answer) => (answer.is === 'refused' ? `${answer.name} ${answer.code}` : answer.is)).sort();
  }

  it(`run it once: one is refused each of ${ROUNDS} times, because the instance runs`, async () => {
    const outcomes = new Map<string, number>();
    for (let number = 1; number <= ROUNDS; number += 1) {
      const outcome = (await round([number, number])).join(', ');
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
    expect([...outcomes]).toEqual([['JobExecutionAlreadyRunningError JOB_ALREADY_RUNNING, started', ROUNDS]]);
    const { rows } = await test.client.query<{ executions: number; instances: number }>(
      `select count(*)::int as executions, count(distinct job_instance_id)::int as instances
       from batch.job_executions where status = 'COMPLETED'`,
    );
    expect(rows[0]).toEqual({ executions: ROUNDS, instances: ROUNDS });
  });

  it('both run when they start different instances', async () => {
    expect(await round([ROUNDS + 1, ROUNDS + 2])).toEqual(['started', 'started']);
  });
});
