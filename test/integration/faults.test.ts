import type pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { OperationRunner } from '../../src/jobs/operation-runner.js';
import { PhaseTimer } from '../../src/services/queue/phase-timer.js';
import { ExecutorService } from '../../src/services/executor/executor.service.js';
import type { BoundOperation } from '../../src/services/planner/bound-operation.js';
import { sqlStateOf } from '../../src/services/database/sql-state.js';
import { createFunctions } from '../support/create-functions.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { Saboteur, type Fault } from '../support/saboteur.js';
import { ChunkSession, THROW_BUGS } from './support/chunk-session.js';
import { outcomeText } from './support/outcome-text.js';
import { openWorker, type TestWorker } from '../support/worker.js';
import { DDL, FAULT_CASES, MIXED, ROWS, type FaultCase } from './support/fault-cases.js';
import {
  drain,
  dumpTables,
  EMPTY_QUEUE,
  ledgerFaults,
  openWatchedWorker,
  toNewOperation,
  verdicts,
} from './support/queue-session.js';

/**
 * Errors of nobody's: deadlock, serialization failure, lock and statement timeout, memory, shutdown, failover, transaction timeout,
 * an object in use, damaged data.
 */
const TRANSIENT = ['40P01', '40001', '55P03', '57014', '53200', '57P01', '25006', '25P04', '55006', 'XX001'] as const;
/** Errors of which PostgreSQL does not say whose fault they are. */
const UNKNOWN = ['55000', 'UE001'] as const;
const TABLES = ['owner', 'person', 'tag', 'counter', 'doomed'];

interface Result {
  outcomes: string[];
  tables: string[];
}

/** A fault that showed: the attempt did not throw, and its result is not that of a run without the fault. */
interface Violation {
  at: number;
  instead: string;
  fault: string;
  difference: string;
}

interface Sabotage {
  /** How many could fail. */
  statements: number;
  /** SQLSTATEs of attempts that gave no outcomes, `none` for a broken connection. */
  thrown: Set<string>;
  violations: Violation[];
}

describe('a fault at any statement of a chunk', () => {
  let database: TestDatabase;
  let session: ChunkSession;
  const saboteur = new Saboteur();

  async function connect(): Promise<void> {
    session = await ChunkSession.open(database);
    saboteur.watch(session.client);
  }

  beforeAll(async () => {
    database = await createTestDatabase({ migrated: false });
    await database.client.query(DDL + ROWS);
    await createFunctions(database.client);
    await connect();
  });
  afterEach(() => saboteur.disarm());
  afterAll(async () => {
    await session?.close();
    await database?.drop();
  });

  /** Surveys, plans and executes in a transaction that is rolled back. */
  async function attempt(
    { alteration }: FaultCase,
    bound: readonly BoundOperation[],
    { mode = 'grouped', fault, at }: { mode?: 'grouped' | 'serial'; fault?: Fault; at?: number } = {},
  ): Promise<Result> {
    const { client, tx } = session;
    try {
      await client.query('begin');
      if (alteration !== undefined) await client.query(alteration);
      saboteur.arm(fault, at);
      const runner = new OperationRunner(mode, new ExecutorService(), THROW_BUGS);
      const { outcomes } = await runner.run(tx, bound, new PhaseTimer('plan')).finally(() => saboteur.disarm());
      // What was sent last and not waited for may have failed: PostgreSQL would not commit it.
      const tables = await dump(client);
      return { outcomes: outcomes.map(outcomeText), tables };
    } finally {
      await client.query('rollback').catch(connect);
    }
  }

  /** Every statement with its faults, and once more without a fault, on the connections that are left. */
  async function sabotage(faultCase: FaultCase): Promise<Sabotage> {
    const bound = await session.bind(faultCase.operations);
    const expected = await attempt(faultCase, bound);
    const statements = [...saboteur.sent];
    const found: Sabotage = { statements: statements.length, thrown: new Set(), violations: [] };
    for (const [at, instead] of statements.entries()) {
      for (const fault of EVERY_FAULT) {
        const [tried] = await Promise.allSettled([attempt(faultCase, bound, { fault, at })]);
        if (tried.status === 'rejected') found.thrown.add(sqlStateOf(tried.reason) ?? 'none');
        else check(tried.value, { at, instead, fault: describeFault(fault) });
      }
      check(await attempt(faultCase, bound), { at, instead, fault: 'none any more' });
    }
    return found;

    function check(result: Result, where: Omit<Violation, 'difference'>): void {
      const difference = differenceOf(result, expected);
      if (difference !== undefined) found.violations.push({ ...where, difference });
    }
  }

  describe.each(FAULT_CASES)('with $name', (faultCase) => {
    it('goes where it should without a fault, and gives what one by one gives', async () => {
      const bound = await session.bind(faultCase.operations);
      const grouped = await attempt(faultCase, bound);
      const sent = [...saboteur.sent];
      for (const pattern of faultCase.sends) expect(sent).toContainEqual(expect.stringMatching(pattern));
      expect(grouped).toEqual(await attempt(faultCase, bound, { mode: 'serial' }));
    });

    it('is no failure of an operation', async () => {
      const { thrown, violations } = await sabotage(faultCase);
      expect(violations).toEqual([]);
      expect([...thrown]).toEqual(expect.arrayContaining([...TRANSIENT, ...UNKNOWN, 'none']));
    }, 60_000);
  });
});

describe('a fault at any statement of the main job', () => {
  const FAULTS: readonly Fault[] = [
    ...[...TRANSIENT, ...UNKNOWN].map((sqlState): Fault => ({ kind: 'error', sqlState })),
    { kind: 'lost' },
    { kind: 'unanswered' },
  ];
  const EMPTY_TABLES = TABLES.toReversed()
    .map((table) => `delete from ${table};`)
    .join(' ');
  const saboteur = new Saboteur();
  let database: TestDatabase;
  let worker: TestWorker;
  /** What one by one makes of it, without a fault. */
  let expected: Ledger;

  beforeAll(async () => {
    database = await createTestDatabase();
    await database.client.query(DDL);
    worker = await openWatchedWorker(database, saboteur);
    expected = await serialLedger();
  });
  afterAll(async () => {
    await worker?.close();
    await database?.drop();
  });

  interface Ledger {
    verdicts: string[];
    tables: string[];
    faults: string[];
  }

  async function start(): Promise<void> {
    await database.client.query(EMPTY_TABLES + EMPTY_QUEUE + ROWS);
    await worker.queue.enqueue(MIXED.map((operation) => toNewOperation(operation)));
  }

  const look = async (): Promise<Ledger> => ({
    verdicts: await verdicts(database),
    tables: await dumpTables(database, TABLES),
    faults: await ledgerFaults(database),
  });

  async function serialLedger(): Promise<Ledger> {
    const serial = await openWorker(database, { BATCH_EXECUTION_MODE: 'serial' });
    try {
      await start();
      await drain(database, serial);
      return await look();
    } finally {
      await serial.close();
    }
  }

  it('costs no operation anything, and applies none twice', async () => {
    expect(expected.faults).toEqual([]);
    expect(new Set(expected.verdicts).size).toBeGreaterThan(3);
    await start();
    saboteur.arm();
    await drain(database, worker);
    saboteur.disarm();
    expect(await look()).toEqual(expected);
    const statements = [...saboteur.sent];
    expect([statements[0], statements.at(-1)]).toEqual(['begin', 'commit']);

    for (const [at, instead] of statements.entries()) {
      const fault = FAULTS[at % FAULTS.length]!;
      await start();
      saboteur.arm(fault, at);
      await drain(database, worker);
      saboteur.disarm();
      const where = { at, instead, fault: describeFault(fault) };
      expect.soft({ ...where, ...(await look()) }).toEqual({ ...where, ...expected });
    }
  }, 60_000);

  it.each(FAULTS)('costs nothing at the commit: $kind $sqlState', async (fault) => {
    await start();
    let struck = false;
    saboteur.arm(fault, (sent) => {
      const isCommitOfChunk = !struck && sent.at(-1) === 'commit' && sent.some((text) => text.includes('batch.chunks'));
      struck ||= isCommitOfChunk;
      return isCommitOfChunk;
    });
    await drain(database, worker);
    saboteur.disarm();
    expect(saboteur.met).not.toEqual([]);
    expect(await look()).toEqual(expected);
  });
});

const EVERY_FAULT: readonly Fault[] = [
  ...[...TRANSIENT, ...UNKNOWN].map((sqlState): Fault => ({ kind: 'error', sqlState })),
  { kind: 'lost' },
];

const describeFault = (fault: Fault): string => (fault.kind === 'error' ? fault.sqlState : fault.kind);

async function dump(client: pg.Client): Promise<string[]> {
  const parts = TABLES.map((table) => `select '${table} ' || t::text as row from ${table} t`);
  const { rows } = await client.query<{ row: string }>(`${parts.join(' union all ')} order by 1`);
  return rows.map(({ row }) => row);
}

function differenceOf(found: Result, expected: Result): string | undefined {
  const operation = expected.outcomes.findIndex((outcome, index) => outcome !== found.outcomes[index]);
  if (operation >= 0) {
    return `operation ${operation + 1}: ${found.outcomes[operation]} instead of ${expected.outcomes[operation]}`;
  }
  if (found.tables.join('\n') === expected.tables.join('\n')) return undefined;
  return `tables: ${found.tables.join(' ')} instead of ${expected.tables.join(' ')}`;
}
