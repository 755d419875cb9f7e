import { DDL, type Fault } from '../../test/measure/isolation-cases.js';
import {
  AWAITED,
  BAD,
  chunkCases,
  CLEAN_GROUP,
  oneGroupCases,
  PIPELINED,
  ROWS,
  type ChunkCase,
  type ExecutorCase,
} from '../../test/measure/isolation-contest.js';
import { timeChunks, timeExecutor } from '../../test/measure/isolation-runs.js';
import { median, openMeasuringDatabase } from '../../test/measure/measuring.js';
import type { Reading, Series, Stage, Study, StudyResult } from '../contest/contest.js';
import { isolationAgainstClean, ISOLATION_AGAINST_SAVEPOINTS } from './reading-names.js';

/** Common faults; each is found in another way. `npm run measure:isolation` has more. */
const FAULTS: readonly Fault[] = ['duplicate key', 'check', 'foreign key'];
const QUICK_FAULTS: readonly Fault[] = ['duplicate key'];

export const isolationStudy: Study = {
  kind: 'study',
  name: 'isolation',
  title: `What k bad operations cost a chunk of ${ROWS}, against a clean one and against a savepoint for each row`,
  quickLacks: 'all faults but duplicate keys',
  async run(stage: Stage): Promise<StudyResult> {
    const database = await openMeasuringDatabase(stage.database, DDL);
    try {
      const { repetitions, quick } = stage.scale;
      const faults = quick ? QUICK_FAULTS : FAULTS;
      const alone = await timeExecutor(database, (table) => oneGroupCases(table, faults), repetitions);
      const chunks = await timeChunks(database, chunkCases(faults), repetitions);
      return {
        readings: [...chunkReadings(chunks), ...executorReadings(alone, faults), ...savepointReadings(alone, faults)],
        series: [seriesOf(chunks, alone, faults)],
      };
    } finally {
      await database.close();
    }
  },
};

/** By repetition, so that both sides ran at about the same time. */
const ratios = (ms: readonly number[], others: readonly number[]): number[] =>
  ms.map((value, index) => value / others[index]!);

function chunkReadings(cases: readonly ChunkCase[]): Reading[] {
  const [clean, ...dirty] = cases;
  return [
    { name: 'whole chunk, clean', unit: 'ms', values: clean!.ms },
    ...dirty.map(({ fault, bad, ms }) => againstClean('whole chunk', fault, bad, ratios(ms, clean!.ms))),
  ];
}

function executorReadings(cases: readonly ExecutorCase[], faults: readonly Fault[]): Reading[] {
  const clean = cases.find(({ family, bad }) => family === CLEAN_GROUP && bad === 0)!;
  return [
    { name: 'executor alone, clean', unit: 'ms', values: clean.ms },
    ...faults.flatMap((fault) =>
      isolated(cases, fault).map(({ bad, ms }) => againstClean('executor alone', fault, bad, ratios(ms, clean.ms))),
    ),
  ];
}

function againstClean(
  scope: Parameters<typeof isolationAgainstClean>[1],
  fault: Fault,
  bad: number,
  values: number[],
): Reading {
  return { name: `${isolationAgainstClean(bad, scope)}, ${fault}`, unit: 'x', values };
}

/** Only the executor is compared with a savepoint for each row, because a chunk of the service uses none. */
function savepointReadings(cases: readonly ExecutorCase[], faults: readonly Fault[]): Reading[] {
  return faults.flatMap((fault) => {
    const allBad = isolated(cases, fault).find(({ bad }) => bad === ROWS)!;
    return [AWAITED, PIPELINED].map((control) => {
      const { ms } = cases.find(({ name, family }) => name === control && family === fault)!;
      const how = control.slice(control.indexOf(', '));
      return { name: `${ISOLATION_AGAINST_SAVEPOINTS}${how}, ${fault}`, unit: 'x', values: ratios(allBad.ms, ms) };
    });
  });
}

const isolated = (cases: readonly ExecutorCase[], fault: Fault): ExecutorCase[] =>
  cases.filter(({ name, family }) => name === fault && family === fault);

/** Milliseconds by number of bad operations: of whole chunks, and of a savepoint for each row where all are bad. */
function seriesOf(chunks: readonly ChunkCase[], alone: readonly ExecutorCase[], faults: readonly Fault[]): Series {
  const [clean] = chunks;
  const times = (bad: number): [Fault, number][] =>
    faults.map((fault) => [
      fault,
      median((bad === 0 ? clean : chunks.find((each) => each.fault === fault && each.bad === bad))!.ms),
    ]);
  const savepoints = alone.filter(({ name, bad }) => name === AWAITED && bad === ROWS).map(({ ms }) => median(ms));
  return {
    name: 'isolation',
    points: [0, ...BAD].map((bad) => ({
      bad,
      ...Object.fromEntries(times(bad)),
      ...(bad === ROWS && { 'savepoint per row': median(savepoints) }),
    })),
  };
}
