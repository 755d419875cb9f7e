import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isRunning } from '../../src/batch/model/batch-status.js';
import { JobParameters } from '../../src/batch/model/job-parameters.js';
import type { PostgresJobRepository } from '../../src/batch/repository/postgres-job-repository.js';
import type { SqlDatabase } from '../../src/interfaces/sql.js';
import { seededRandom, type Random } from '../support/random.js';
import type { DatabaseConnection } from '../support/test-databases.js';
import type { JobChildren } from './job-child.js';
import type { JobOrder } from './job-process.js';
import type { Isolation, JobName } from './jobs.js';
import { judge, type Evidence } from './judge.js';
import { PHASES, type KillPlan, type Phase } from './kill-point.js';
import { makeRows, type SourceOptions, type SourceRow } from './rows.js';
import type { SabotageName } from './sabotage.js';
import * as sql from './tables.sql.js';

export interface Scenario {
  name: string;
  job: JobName;
  source: Omit<SourceOptions, 'seed'>;
  chunkSize: number;
  plan: KillPlan;
  /** Default: `engine`. */
  isolation?: Isolation;
  sabotage?: SabotageName;
}

export interface Stage {
  connection: DatabaseConnection;
  database: SqlDatabase;
  repository: PostgresJobRepository;
  children: JobChildren;
  /** For the file and the phase of the process. */
  folder: string;
}

export interface ScenarioResult {
  /** Kills of a running execution. */
  kills: number;
  /** Of these. */
  byPhase: Record<Phase, number>;
  instances: number;
  rows: number;
  violations: string[];
}

/** Of one instance. After them it runs to its end. */
const KILLS_OF_INSTANCE = 8;
/** An instance that does not come to its end hangs. */
const PROCESSES_OF_INSTANCE = KILLS_OF_INSTANCE * 4;

/** Runs instance after instance until there were enough kills, or something is wrong. */
export async function runScenario(
  scenario: Scenario,
  stage: Stage,
  { kills, seed }: { kills: number; seed: number },
): Promise<ScenarioResult> {
  const random = seededRandom(seed);
  const byPhase = Object.fromEntries(PHASES.map((phase) => [phase, 0])) as Record<Phase, number>;
  const result: ScenarioResult = { kills: 0, byPhase, instances: 0, rows: 0, violations: [] };
  while (result.kills < kills && result.violations.length === 0) {
    const rows = makeRows({ ...scenario.source, seed: random.integer(0, 2 ** 31) }, scenario.job === 'csv');
    const round = `${scenario.name} ${seed} ${result.instances + 1}`;
    const order = await prepare(scenario, stage, rows, round);
    const phases = await runInstance(scenario, stage, order, { random, kills: kills - result.kills });
    for (const phase of phases) byPhase[phase] += 1;
    result.kills += phases.length;
    result.instances += 1;
    result.rows += rows.length;
    const evidence = await collect(scenario, stage, round);
    result.violations = judge(rows, scenario.chunkSize, evidence).map((fault) => `${round}: ${fault}`);
  }
  return result;
}

async function prepare(
  { job, chunkSize, sabotage, isolation = 'engine' }: Scenario,
  { connection, database, folder }: Stage,
  rows: readonly SourceRow[],
  round: string,
): Promise<JobOrder> {
  const file = join(folder, 'source.csv');
  await writeFile(file, rows.map(({ text }) => `${text}\n`).join(''));
  await database.query(sql.clearTables());
  await database.query(sql.insertTaken());
  await database.query(sql.insertSource(rows));
  const phaseFile = join(folder, 'phase');
  return { connection, job, round, file, chunkSize, phaseFile, sabotage, isolation, point: undefined };
}

/** The phases in which running executions were killed. */
async function runInstance(
  { plan, job }: Scenario,
  { children, repository }: Stage,
  order: JobOrder,
  { random, kills }: { random: Random; kills: number },
): Promise<Phase[]> {
  const phases: Phase[] = [];
  const most = Math.min(KILLS_OF_INSTANCE, kills);
  for (let process = 0; process < PROCESSES_OF_INSTANCE; process += 1) {
    const point = phases.length < most ? plan(random) : undefined;
    const end = await children.run({ ...order, point });
    if (!end.killed && end.status === 'COMPLETED') return phases;
    if (!end.killed) continue;
    const [last] = await repository.executionsOf(job, JobParameters.read(job, { round: order.round }));
    // Killed after the last commit.
    if (last?.status === 'COMPLETED') return phases;
    if (last !== undefined && isRunning(last.status)) phases.push(end.phase);
  }
  throw new Error(`${order.round} did not come to its end in ${PROCESSES_OF_INSTANCE} processes`);
}

async function collect({ job }: Scenario, { database, repository }: Stage, round: string): Promise<Evidence> {
  const executions = await repository.executionsOf(job, JobParameters.read(job, { round }));
  const steps = await Promise.all(executions.map(({ id }) => repository.stepExecutions(id)));
  const rowsOf = async <Row>(statement: Parameters<SqlDatabase['query']>[0]): Promise<Row[]> =>
    (await database.query<Row>(statement)).rows;
  return {
    written: (await rowsOf<{ line: number }>(sql.selectWritten())).map(({ line }) => line),
    told: await rowsOf(sql.selectTold()),
    skipped: await rowsOf(sql.selectSkipped(executions[0]!.instance.id)),
    executions,
    steps: steps.flat(),
  };
}
