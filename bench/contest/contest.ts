import type pg from 'pg';
import type { DatabaseConnection } from '../../test/support/test-databases.js';
import type { Tally, Transaction } from '../counting/transaction.js';

/** The place of a contest: servers of this run alone, and the amount of work. */
export interface Stage {
  /** New for each contestant. If statements are counted, it leads through the counting proxy. */
  database: DatabaseConnection;
  /** Straight to the same database, for work that is not measured: filling and checking tables. */
  admin: pg.Pool;
  rabbitmqUrl: string;
  redisUrl: string;
  /** The compiled service; holds `main.js`. */
  dist: string;
  scale: Scale;
  log: (line: string) => void;
}

export interface Scale {
  quick: boolean;
  /** Operations of a race, or of each repetition of a study. */
  operations: number;
  repetitions: number;
  /** Repetitions before those. They do not count, because a process that has just started is slower. */
  warmUps: number;
  /** How long the memory study puts a constant load on the service. 0: not at all; only an hour shows a slope. */
  soakMinutes: number;
}

/** One way to do the work of a race. */
export interface Contestant {
  /** Short, for tables and plots; the same in every race. */
  name: string;
  open(stage: Stage): Promise<Runner>;
}

/** A contestant on a stage. */
export interface Runner {
  /** Process ids whose processor time is counted as Node's, beside this process'. */
  processes: readonly number[];
  /** Makes new tables and fills them with the work. Not measured. */
  prepare(): Promise<void>;
  /**
   * The work; resolves when all of it is durable.
   *
   * @returns seconds that it took, where the runner knows better than a clock around this call
   */
  run(): Promise<number | void>;
  /**
   * The transactions that count as work where statements are counted. Default: all. Regular polls are left out, because
   * they are no cost of the operations.
   */
  isWork?: (transaction: Transaction) => boolean;
  /** Throws when the tables do not hold what they should: number of rows and checksum. */
  verify(): Promise<void>;
  close(): Promise<void>;
}

/** What a quick run leaves out of a figure, unless the figure is asked for by its name. */
export const EVERYTHING = 'everything';

interface Listed {
  name: string;
  /** What is done, in a sentence. */
  title: string;
  /** What a quick run leaves out of it. */
  quickLacks?: string;
}

/** The same work done by several contestants in turn, over and over. */
export interface Race extends Listed {
  kind: 'race';
  contestants: readonly Contestant[];
  /** At most this many, where other races have more. */
  operations?: number;
  /** Contestants whose statements a quick run counts too. Each needs processes and a run of its own. Default: none. */
  countedInQuick?: readonly Contestant[];
}

/** A measurement with a procedure of its own. */
export interface Study extends Listed {
  kind: 'study';
  run(stage: Stage, earlier: readonly FigureResult[]): Promise<StudyResult>;
}

export type Figure = Race | Study;

/** One repetition of one contestant. */
export interface Sample {
  seconds: number;
  operations: number;
  /** User and system time of this process and the contestant's, in seconds. Undefined if the system does not report it. */
  nodeCpuSeconds?: number;
  /** Of all processes of the server. */
  postgresCpuSeconds?: number;
  walBytes: number;
}

/** Counts that do not vary: made by a proxy in a repetition of their own, which is not timed. */
export interface Counted extends Tally {
  operations: number;
}

export interface CellResult {
  contestant: string;
  samples: Sample[];
  counted?: Counted;
}

export interface RaceResult {
  kind: 'race';
  name: string;
  title: string;
  cells: CellResult[];
}

/** One figure of a study, once for each repetition. */
export interface Reading {
  name: string;
  /** 'ms', 'MB', 'operations/s', 'x', … */
  unit: string;
  values: number[];
}

export interface Series {
  name: string;
  points: Record<string, number>[];
}

export interface StudyResult {
  readings: Reading[];
  series?: Series[];
}

export type FigureResult = RaceResult | ({ kind: 'study'; name: string; title: string } & StudyResult);

/** A target of docs/performance.md, as this run sees it. */
export interface Verdict {
  /** Its number there. */
  target: number;
  claim: string;
  /** Undefined where this run has not measured it. */
  value?: number;
  met?: boolean;
}

export interface BenchReport {
  startedAt: string;
  seconds: number;
  commit?: string;
  machine: { cpus: number; model: string; memoryGb: number; node: string; platform: string };
  /** How each server describes itself. */
  servers: string[];
  scale: Scale;
  /** By a quick run, a line a figure. */
  leftOut: readonly string[];
  figures: FigureResult[];
  verdicts: Verdict[];
}
