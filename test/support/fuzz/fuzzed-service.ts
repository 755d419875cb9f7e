import type { LoggerService } from '@nestjs/common';
import type * as fc from 'fast-check';
import { expect } from 'vitest';
import { REFUSAL_CODES } from '../../../src/interfaces/error.js';
import { startTestApp, type TestApp } from '../app.js';
import { eventually } from '../eventually.js';
import type { TestEnvironment } from '../test-settings.js';
import { MARK, ODD_COLUMN, ODD_TABLE, quoted, SCHEMA } from './arbitraries.js';
import { recordSql } from './sql-recorder.js';

/** What a request may be refused with, whatever it holds: none of these is the caller's doing. */
const OUR_FAULTS = ['INTERNAL_ERROR', 'SERVICE_UNAVAILABLE', 'SHUTTING_DOWN', 'QUEUE_FULL', 'OVERLOADED', 'LANE_BUSY'];

/** A service that is watched for what no request may do to it. */
export interface FuzzedService {
  service: TestApp;
  /** How often and with which seed; printed, so that a run can be repeated with `FUZZ_SEED`. `FUZZ_RUNS` makes it longer. */
  parameters(runs: number): fc.Parameters<unknown>;
  /** Nothing happened but what the requests may do. Waits until what was accepted is executed. */
  assertUnharmed(): Promise<void>;
  /** The requests came as far as they can: hostile texts were written, also under hostile names, and some the database refused. */
  assertReached(): Promise<void>;
  close(): Promise<void>;
}

export async function startFuzzedService(environment: TestEnvironment = {}): Promise<FuzzedService> {
  const faults: unknown[] = [];
  const note = (fault: unknown): void => void faults.push(fault);
  process.on('unhandledRejection', note);
  process.on('uncaughtExceptionMonitor', note);
  const service = await startTestApp(
    { BATCH_PROCESS_OPERATION_INTERVAL: '100', ...environment },
    { schema: SCHEMA, logger: errorsTo(note) },
  );
  const { client } = service.database;
  const before = await untouchable(service);
  const sql = recordSql(service);
  return {
    service,
    parameters(runs) {
      const seed = Number(process.env.FUZZ_SEED ?? Date.now() % 2 ** 31);
      const numRuns = Number(process.env.FUZZ_RUNS ?? runs);
      process.stdout.write(`  ${expect.getState().currentTestName}: FUZZ_SEED=${seed} FUZZ_RUNS=${numRuns}\n`);
      return { seed, numRuns, endOnFailure: process.env.FUZZ_SHRINK !== 'true' };
    },
    async assertUnharmed() {
      await eventually(async () => {
        const { rows } = await client.query<{ n: number }>('select count(*)::int as n from batch.pending');
        expect(rows[0]!.n).toBe(0);
      });
      expect(faults).toEqual([]);
      expect(await untouchable(service)).toEqual(before);
      assertOnlyOurSql(sql);
      expect(Object.prototype).not.toHaveProperty('polluted');
      expect((await fetch(`${service.url}/health/ready`)).status).toBe(200);
    },
    async assertReached() {
      await eventually(async () => {
        const { rows } = await client.query<{ items: number; odd: number; failed: number }>(
          `select count(*) filter (where status = 'completed' and target = 'public.items' and "values"::text ~ $1)::int as items,
             count(*) filter (where status = 'completed' and target <> 'public.items' and "values"::text ~ $1)::int as odd,
             count(*) filter (where status = 'failed')::int as failed
           from batch.batch_operations`,
          [MARK.source],
        );
        expect(Math.min(...Object.values(rows[0]!))).toBeGreaterThan(0);
      });
      expect([...sql].join()).toContain(quoted(ODD_COLUMN));
    },
    async close() {
      process.off('unhandledRejection', note);
      process.off('uncaughtExceptionMonitor', note);
      await service.close();
    },
  };
}

/** An answer that is an error has a stable code, and one that the request deserved. */
export function assertRefusal(error: unknown): void {
  const { code, message, detail } = error as { code?: unknown; message?: unknown; detail?: unknown };
  expect(REFUSAL_CODES).toContain(code);
  expect(OUR_FAULTS).not.toContain(code);
  expect(typeof (message ?? detail)).toBe('string');
}

const STATES = ['pending', 'scheduled', 'completed', 'failed', 'cancelled'];
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export function assertCreated(result: unknown): void {
  const { id, status, created } = result as { id?: unknown; status?: unknown; created?: unknown };
  expect(id).toMatch(UUID);
  expect(STATES).toContain(status);
  expect(typeof created).toBe('boolean');
}

export function assertCreatedMany(result: unknown): void {
  const { results } = result as { results?: unknown };
  expect(Array.isArray(results)).toBe(true);
  for (const entry of results as { error?: unknown }[]) {
    if (entry.error === undefined) assertCreated(entry);
    else assertRefusal(entry.error);
  }
}

export function assertPlan(result: unknown): void {
  const { operations, groups } = result as { operations?: { error?: unknown }[]; groups?: unknown[] };
  expect(Array.isArray(groups)).toBe(true);
  for (const { error } of operations ?? []) if (error !== undefined) assertPlanRefusal(error);
}

/** An operation whose row cannot be made has a verdict as well, see `FAILURE_CODES`. */
function assertPlanRefusal(error: unknown): void {
  const { code } = error as { code?: unknown };
  expect(typeof code).toBe('string');
  expect(OUR_FAULTS).not.toContain(code);
}

export function assertOperation(result: unknown): void {
  const { id, status } = result as { id?: unknown; status?: unknown };
  expect(id).toMatch(UUID);
  expect(STATES).toContain(status);
}

/** No text of a caller is a part of any statement, but a name that the catalog has, in quotes. */
function assertOnlyOurSql(texts: ReadonlySet<string>): void {
  expect(texts.size).toBeGreaterThan(0);
  for (const text of texts) {
    const others = text.replaceAll(quoted(ODD_TABLE), 'odd_table').replaceAll(quoted(ODD_COLUMN), 'odd_column');
    expect(others).not.toMatch(MARK);
    expect(others).not.toMatch(/drop table|pg_sleep|od"d|va"l|private/);
  }
}

/** Rows and relations that no request may change. */
async function untouchable({ database: { client } }: TestApp): Promise<unknown> {
  const { rows: relations } = await client.query(
    `select n.nspname, c.relname, c.relkind, a.attname, a.atttypid::regtype::text as type
     from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid
     where n.nspname in ('public', 'batch', 'private') and not a.attisdropped order by 1, 2, 4`,
  );
  const { rows: secrets } = await client.query('select * from private.secrets');
  const { rows: keys } = await client.query('select * from batch.api_keys');
  return { relations, secrets, keys };
}

function errorsTo(note: (fault: unknown) => void): LoggerService {
  const ignore = (): void => undefined;
  return {
    log: ignore,
    warn: ignore,
    debug: ignore,
    verbose: ignore,
    fatal: note,
    error: (...args: unknown[]) => note(args),
  };
}
