/**
 * What k bad rows in a chunk of 1000 inserts cost, against the same chunk without any, for `npm run measure:isolation`. Controls:
 * a savepoint for each row, awaited one after the other, and all sent at once. Interleaved; medians with minimum and maximum.
 */
import pg from 'pg';
import { composeStatement } from '../../src/services/composer/compose-statement.js';
import { CatalogService } from '../../src/services/catalog/catalog.service.js';
import type { Table } from '../../src/services/catalog/table.js';
import { loadSettings } from '../../src/services/config/settings.js';
import { asSqlClient, type DatabaseService } from '../../src/services/database/database.service.js';
import type { SqlClient } from '../../src/services/database/sql.js';
import { ExecutorService } from '../../src/services/executor/executor.service.js';
import type { Plan } from '../../src/services/planner/plan.js';
import { startPostgres } from '../support/services/postgres.js';
import {
  asAdministrator,
  clientOptions,
  databaseEnvironment,
  type DatabaseConnection,
} from '../support/test-databases.js';
import { uniqueName } from '../support/unique-name.js';
import { openChunks } from './chunks.js';
import { bind, DDL, FAULTS, inserts, planOf, rows, singly, type Fault } from './isolation-cases.js';

const ROWS = 1000;
const REPETITIONS = Number(process.env.REPETITIONS ?? 9);
const BAD = [1, 20, 100, 1000];
const faults = Object.keys(FAULTS) as Fault[];

interface Figures {
  statements: number;
  failed: number;
}

type Execute = (tx: SqlClient, plan: Plan) => Promise<Figures>;

interface Case {
  name: string;
  /** Cases with the same operations, but for the bad ones. */
  family: string;
  bad: number;
  plan: Plan;
  execute: Execute;
  ms: number[];
  figures: Figures | undefined;
}

const executor = new ExecutorService();
const AWAITED = 'savepoint per row, awaited';
const PIPELINED = 'savepoint per row, pipelined';

async function isolating(tx: SqlClient, plan: Plan): Promise<Figures> {
  const { outcomes, statements } = await executor.execute(tx, plan);
  return { statements, failed: outcomes.filter(({ status }) => status === 'failed').length };
}

async function savepointsAwaited(tx: SqlClient, { operations }: Plan): Promise<Figures> {
  let failed = 0;
  for (const operation of operations) {
    await tx.query({ text: 'savepoint one' });
    try {
      await tx.query(composeStatement(operation, [operation]));
      await tx.query({ text: 'release savepoint one' });
    } catch {
      failed += 1;
      await tx.query({ text: 'rollback to savepoint one' });
    }
  }
  return { statements: operations.length, failed };
}

/** All sent at once and taken back, since none can wait for how it went: for rows that are bad, the same work. */
async function savepointsPipelined(tx: SqlClient, { operations }: Plan): Promise<Figures> {
  const commands: Promise<unknown>[] = [];
  const sent = operations.map((operation) => {
    commands.push(tx.query({ text: 'savepoint one' }));
    const done = tx.query(composeStatement(operation, [operation]));
    commands.push(tx.query({ text: 'rollback to savepoint one; release savepoint one' }));
    return done;
  });
  const results = await Promise.allSettled(sent);
  await Promise.all(commands);
  return { statements: operations.length, failed: results.filter(({ status }) => status === 'rejected').length };
}

function cases(table: Table): Case[] {
  const made: Case[] = [];
  const add = (name: string, family: string, bad: number, plan: Plan, execute: Execute = isolating) =>
    made.push({ name, family, bad, plan, execute, ms: [], figures: undefined });
  const oneGroup = (bad: number, fault: Fault): Plan => planOf([inserts(table, rows(ROWS, bad, fault))]);
  add('one group, clean', 'one group', 0, oneGroup(0, 'check'));
  add(AWAITED, 'one group', 0, oneGroup(0, 'check'), savepointsAwaited);
  for (const fault of faults) {
    for (const bad of BAD) add(fault, fault, bad, oneGroup(bad, fault));
    add(AWAITED, fault, ROWS, oneGroup(ROWS, fault), savepointsAwaited);
    add(PIPELINED, fault, ROWS, oneGroup(ROWS, fault), savepointsPipelined);
  }
  for (const bad of [0, 1, 18, 100]) add('300 groups', '300 groups', bad, manyGroups(table, bad));
  for (const bad of [0, ...BAD]) add('chain on one row', 'chain', bad, chain(table, bad));
  add(AWAITED, 'chain', ROWS, chain(table, ROWS), savepointsAwaited);
  return made;
}

function manyGroups(table: Table, bad: number): Plan {
  const operations = inserts(table, rows(ROWS, bad, 'check of two columns'));
  return planOf(Array.from({ length: 300 }, (_, group) => operations.filter((__, index) => index % 300 === group)));
}

/** Increments that cannot be folded, one in `ROWS / bad` of them down to where no value may be. */
function chain(table: Table, bad: number): Plan {
  return singly(
    rows(ROWS, bad, 'check').map(({ n }) =>
      bind(table, { type: 'increment', key: { id: 100_000 }, values: { n: Number(n) < 0 ? -1_000_000 : 1 } }),
    ),
  );
}

async function run(client: pg.Client, each: Case): Promise<void> {
  await client.query('begin');
  const start = performance.now();
  const figures = await each.execute(asSqlClient(client), each.plan);
  const ms = performance.now() - start;
  await client.query('rollback');
  if (figures.failed !== each.bad) throw new Error(`${each.name}: ${figures.failed} failed instead of ${each.bad}`);
  each.ms.push(ms);
  each.figures = figures;
}

const sorted = (numbers: readonly number[]): number[] => [...numbers].sort((a, b) => a - b);
const median = (numbers: readonly number[]): number => sorted(numbers)[Math.floor(numbers.length / 2)]!;

function timesOf(ms: readonly number[]): string {
  const [low = 0, high = 0] = [sorted(ms)[0], sorted(ms).at(-1)];
  return `${median(ms).toFixed(1).padStart(6)} (${low.toFixed(1)}–${high.toFixed(1)})`.padEnd(22);
}

const ratioOf = (ms: number, clean: number): string => (ms / clean).toFixed(2).padStart(8);

function print(all: readonly Case[]): void {
  say('case                              k  statements   median ms (min–max)     × clean  × awaited  × pipelined');
  for (const { name, family, bad, ms, figures } of all) {
    const clean = all.find((each) => each.bad === 0 && each.family === family) ?? all[0];
    const control = (kind: string): Case | undefined =>
      all.find((each) => each.family === family && each.name === kind && each.bad === bad);
    const ratio = (other: Case | undefined): string =>
      other === undefined ? '–' : (median(ms) / median(other.ms)).toFixed(2);
    const columns = [
      name.padEnd(30),
      String(bad).padStart(4),
      String(figures?.statements).padStart(11),
      `  ${timesOf(ms)}`,
      ratio(clean).padStart(8),
      ratio(control(AWAITED)).padStart(10),
      ratio(control(PIPELINED)).padStart(12),
    ];
    say(columns.join(' '));
  }
}

/** The same rows as whole chunks, from the claim to the commit. */
async function measureChunks(connection: DatabaseConnection): Promise<void> {
  const chunks = await openChunks(connection);
  const all = [
    { fault: 'check' as Fault, bad: 0, ms: [] as number[] },
    ...faults.flatMap((fault) => BAD.map((bad) => ({ fault, bad, ms: [] as number[] }))),
  ];
  for (let repetition = 0; repetition <= REPETITIONS; repetition += 1) {
    for (const { fault, bad, ms } of all) {
      const took = await chunks.execute(rows(ROWS, bad, fault), bad);
      if (repetition > 0) ms.push(took);
    }
  }
  await chunks.close();
  const clean = median(all[0]!.ms);
  say('\nwhole chunk                       k   median ms (min–max)     × clean');
  for (const { fault, bad, ms } of all) {
    say(
      `${(bad === 0 ? 'clean' : fault).padEnd(30)} ${String(bad).padStart(4)}  ${timesOf(ms)} ${ratioOf(median(ms), clean)}`,
    );
  }
}

const say = (line: string): void => void process.stdout.write(`${line}\n`);

async function main(): Promise<void> {
  const postgres = await startPostgres(process.env, say);
  const database = uniqueName('isolation');
  const connection = { ...postgres.connection, database };
  try {
    await asAdministrator(connection, (client) => client.query(`create database ${database} template template0`));
    const client = new pg.Client({ ...clientOptions(connection), pipeline: true, options: '-c jit=off' });
    await client.connect();
    await client.query(DDL);
    const catalog = new CatalogService(
      asSqlClient(client) as DatabaseService,
      loadSettings(databaseEnvironment(connection)),
    );
    const all = cases(await catalog.table('target'));
    for (let repetition = 0; repetition <= REPETITIONS; repetition += 1) {
      for (const each of all) {
        await run(client, each);
        // Rows that were taken back would make the next ones look for longer.
        await client.query('vacuum target');
      }
      // The first is for warming up.
      if (repetition === 0) for (const each of all) each.ms.length = 0;
    }
    print(all);
    await client.end();
    await measureChunks(connection);
  } finally {
    await asAdministrator(connection, (client) => client.query(`drop database if exists ${database} with (force)`));
    await postgres.stop();
  }
}

await main();
