import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { Saboteur, type Fault } from '../support/saboteur.js';
import type { TestWorker } from '../support/worker.js';
import type { NewOperation } from '../../src/services/queue/new-operation.js';
import { comeBack, drain, dumpTables, fates, openWatchedWorker, toNewOperation } from './support/queue-session.js';

/** Nothing comes back by itself. */
const PATIENT = { BATCH_OPERATION_RETRY_DELAY: '3600000' };
const TABLES = ['owner', 'item'];
const FAULTS: Fault[] = [{ kind: 'error', sqlState: '40P01' }, { kind: 'lost' }, { kind: 'unanswered' }];

const insert = (target: string, values: Record<string, number>, retried = false): NewOperation => ({
  ...toNewOperation({ operationType: 'insert', target, values }),
  ...(retried && { retryLimit: 2, retryOn: ['missing_parent'] }),
});
const update = (id: number, n: number): NewOperation =>
  toNewOperation({ operationType: 'update', target: 'item', key: { id }, values: { n } });

/** One that waits, and a chunk that has followers of it, fails twice, and has to be executed again. */
const BEFORE = () => [insert('item', { id: 1, owner_id: 7 }, true)];
const CHUNK = () => [
  update(1, 1),
  insert('item', { id: 2, owner_id: 8 }, true),
  toNewOperation({ operationType: 'upsert', target: 'item', values: { id: 2, n: 2 }, conflictKey: ['id'] }),
  insert('item', { id: 3, boss: 2 }, true),
  insert('item', { id: 4, n: 4 }),
  insert('item', { id: 4, n: 5 }),
  insert('owner', { id: 7 }),
];

describe('a chunk that puts operations off', () => {
  const saboteur = new Saboteur();
  let database: TestDatabase;
  let worker: TestWorker;

  beforeAll(async () => {
    database = await createTestDatabase();
    await database.client.query(`
      create table owner (id int primary key);
      create table item (id int primary key, owner_id int references owner, boss int references item, n int)`);
    worker = await openWatchedWorker(database, saboteur, PATIENT);
  });
  afterAll(async () => {
    await worker?.close();
    await database?.drop();
  });

  const look = async () => ({ fates: await fates(database), rows: await dumpTables(database, TABLES) });

  async function run(fault?: Fault, at?: number): Promise<object> {
    await database.client.query(`
      truncate owner, item, batch.operations, batch.pending, batch.delayed, batch.outcomes, batch.chunks, batch.lane_blocks`);
    await worker.queue.enqueue(BEFORE());
    await drain(database, worker);
    await worker.queue.enqueue(CHUNK());
    saboteur.arm(fault, at);
    await drain(database, worker).finally(() => saboteur.disarm());
    const after = await look();
    await comeBack(database, worker);
    // Chunks are small after a fault; by now they are large again.
    await drain(database, worker);
    return { after, end: await look() };
  }

  it('comes to the same, whichever of its statements meets a fault', async () => {
    const expected = await run();
    const sent = [...saboteur.sent];
    expect(sent.filter((text) => /savepoint (releases_blocked|round)/.test(text))).toEqual([
      'savepoint releases_blocked',
      'rollback to savepoint releases_blocked; release savepoint releases_blocked',
      'savepoint round',
      'rollback to savepoint round',
      'release savepoint round',
      'savepoint round',
      'release savepoint round',
    ]);
    const differences: unknown[] = [];
    for (const [at, statement] of sent.entries()) {
      const fault = FAULTS[at % FAULTS.length]!;
      const found = await run(fault, at);
      if (JSON.stringify(found) !== JSON.stringify(expected)) differences.push({ statement, fault, found, expected });
    }
    expect(differences).toEqual([]);
  }, 180_000);
});
