import type {
  BenchReport,
  CellResult,
  FigureResult,
  RaceResult,
  Reading,
  Sample,
  Series,
} from '../../../bench/contest/contest.js';

/** Reports as a run makes them, with figures that are easy to reckon with. */

export const sample = (operationsPerSecond: number, overrides: Partial<Sample> = {}): Sample => ({
  operations: 1000,
  seconds: 1000 / operationsPerSecond,
  nodeCpuSeconds: 0.02,
  postgresCpuSeconds: 0.03,
  walBytes: 400_000,
  ...overrides,
});

export const cell = (
  contestant: string,
  rates: readonly number[],
  overrides: Partial<CellResult> = {},
): CellResult => ({
  contestant,
  samples: rates.map((rate) => sample(rate)),
  counted: { operations: 10_000, statements: 60, dataStatements: 40, commits: 10, roundTrips: 30 },
  ...overrides,
});

export const race = (name: string, cells: CellResult[], title = `What is done in ${name}`): RaceResult => ({
  ...{ kind: 'race', name, title, cells },
});

export const study = (name: string, readings: Reading[], series?: Series[]): FigureResult => ({
  ...{ kind: 'study', name, title: `What is found out by ${name}`, readings, series },
});

export const reading = (name: string, unit: string, ...values: number[]): Reading => ({ name, unit, values });

export const reportOf = (figures: FigureResult[], overrides: Partial<BenchReport> = {}): BenchReport => ({
  startedAt: '2026-01-31T08:05:09.123Z',
  seconds: 12.3456789,
  machine: { cpus: 2, model: 'A processor', memoryGb: 8, node: '20.20.2', platform: 'linux x64' },
  servers: ['PostgreSQL 15.20, shared_buffers 256MB', 'RabbitMQ 3.10.8 on 127.0.0.1:5673, started for this run'],
  scale: { quick: false, operations: 30_000, repetitions: 5, warmUps: 4, soakMinutes: 0 },
  leftOut: [],
  figures,
  verdicts: [],
  ...overrides,
});

/** One of everything that can be printed and plotted, with figures of about the size that they have. */
export const EVERYTHING: FigureResult[] = [
  race('apply', [
    cell('direct', [208_000, 231_000, 250_000]),
    cell('row by row', [2500, 2600, 2640]),
    cell('row by row, 16 connections', [10_100, 11_000, 11_800]),
    cell('status column', [57_000, 66_000, 80_000]),
    cell('pg-boss', [14_000, 17_000, 20_000]),
    cell('graphile-worker', [5000, 7000, 9000]),
    cell('bullmq', [2700, 2800, 2900], { counted: undefined }),
    cell('Batch Service', [96_000, 108_000, 121_000]),
  ]),
  race('mixed', [cell('direct', [150_000, 160_000, 170_000]), cell('Batch Service', [50_000, 56_000, 61_000])]),
  race('enqueue', [cell('pg-boss', [45_000, 47_000, 49_000]), cell('Batch Service', [88_000, 96_000, 99_000])]),
  race('enqueue-single', [
    cell('empty echo', [5000, 8000, 16_000]),
    cell('Batch Service', [4000, 6000, 7000]),
    cell('Batch Service, Nest client', [3800, 5600, 6000]),
  ]),
  race('end-to-end', [
    cell('direct', [208_000, 231_000, 250_000]),
    cell('Batch Service', [70_000, 80_000, 82_000]),
    cell('Batch Service, one process', [50_000, 55_000, 57_000]),
  ]),
  study(
    'isolation',
    [
      reading('isolation k=1 / clean, whole chunk, check', 'x', 1.2, 1.4, 1.9),
      reading('isolation k=1 / clean, whole chunk, duplicate key', 'x', 1.1, 1.2, 1.3),
    ],
    [
      {
        name: 'isolation',
        points: [
          { bad: 0, 'duplicate key': 29, check: 29, 'foreign key': 29 },
          { bad: 1, 'duplicate key': 32, check: 49, 'foreign key': 48 },
          { bad: 20, 'duplicate key': 37, check: 41, 'foreign key': 44 },
          { bad: 100, 'duplicate key': 61, check: 48, 'foreign key': 39 },
          { bad: 1000, 'duplicate key': 151, check: 120, 'foreign key': 98, 'savepoint per row': 424 },
        ],
      },
    ],
  ),
  study(
    'latency',
    [reading('created → applied p99 at 30 %', 'ms', 11, 12, 19)],
    [
      {
        name: 'latency',
        points: [
          [300, 4, 9, 2, 6],
          [600, 4, 10, 2, 7],
          [1800, 5, 12, 3, 9],
          [3000, 8, 21, 4, 13],
          [4200, 14, 40, 6, 22],
          [5300, 33, 140, 11, 71],
        ].map(([throughput = 0, createdToAppliedP50 = 0, createdToAppliedP99 = 0, p50 = 0, p99 = 0]) => ({
          ...{ offered: throughput, throughput, createdToAppliedP50, createdToAppliedP99 },
          ...{ appliedToNotifiedP50: p50, appliedToNotifiedP99: p99, operationsPerChunk: 9 },
        })),
      },
      {
        name: 'chunk size',
        points: [
          { limit: 100, rate: 21_000, durationMs: 4.4 },
          { limit: 300, rate: 42_000, durationMs: 6.6 },
          { limit: 1000, rate: 61_000, durationMs: 15 },
          { limit: 3000, rate: 68_000, durationMs: 43 },
          { limit: 10_000, rate: 66_000, durationMs: 148 },
        ],
      },
    ],
  ),
  study(
    'memory',
    [reading('RSS of the worker', 'MB', 141, 143, 144)],
    [
      {
        name: 'soak',
        points: Array.from({ length: 60 }, (_, minutes) => ({
          ...{ minutes, workerMb: 150 + 6 * Math.sin(minutes), apiMb: 120 + 4 * Math.cos(minutes) },
        })),
      },
    ],
  ),
];
