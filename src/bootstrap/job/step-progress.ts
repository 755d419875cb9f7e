import { StepCounters } from '../../batch/model/step-counters.js';
import type { StepExecution } from '../../batch/model/step-execution.js';

/** What a step had counted at a time. */
export interface StepSample {
  name: string;
  /** Milliseconds. */
  at: number;
  counters: StepCounters;
}

/** The step that was started last and still runs. The counters of a partitioned step are those of its partitions together. */
export function runningStep(steps: readonly StepExecution[], at: number): StepSample | undefined {
  const running = steps.findLast(({ status }) => status === 'STARTED');
  if (running === undefined) return undefined;
  const whole = steps.findLast(({ stepName }) => running.stepName.startsWith(`${stepName}:`)) ?? running;
  const partitions = steps.filter(({ stepName }) => stepName.startsWith(`${whole.stepName}:`));
  const counters = new StepCounters();
  for (const each of partitions.length > 0 ? partitions : [running]) {
    counters.add(each, false);
    counters.commitCount += each.commitCount;
  }
  return { name: whole.stepName, at, counters };
}

/** @param samples of one step, at least one, in the order of their times */
export function progressLine(samples: readonly StepSample[]): string {
  const first = samples[0]!;
  const last = samples.at(-1)!;
  const { name, counters } = last;
  const { readCount, writeCount, filterCount, skipCount } = counters;
  const seconds = (last.at - first.at) / 1000;
  const rate = seconds > 0 ? Math.round((passed(counters) - passed(first.counters)) / seconds) : undefined;
  return [
    `${name}: ${grouped(readCount)} read`,
    `${grouped(writeCount)} written`,
    ...(filterCount > 0 ? [`${grouped(filterCount)} filtered`] : []),
    `${grouped(skipCount)} skipped`,
    ...(rate === undefined ? [] : [`${grouped(rate)} rows/s`]),
  ].join(', ');
}

const passed = ({ readCount, readSkipCount }: StepCounters): number => readCount + readSkipCount;

export const grouped = (value: number): string => value.toLocaleString('en').replaceAll(',', ' ');
