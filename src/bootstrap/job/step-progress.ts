import cliProgress from 'cli-progress';
import { StepCounters } from '../../batch/model/step-counters.js';
import type { StepExecution } from '../../batch/model/step-execution.js';
import { progressOf } from '../../batch/step/partitioned-step.js';
import { percent } from './describe-execution.js';

/** What a step had done at a time. */
export interface StepSample {
  name: string;
  /** Milliseconds. */
  at: number;
  counters: StepCounters;
  /** From 0 to 1. Undefined when the step cannot tell. */
  progress: number | undefined;
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
  return { name: whole.stepName, at, counters, progress: progressOf(whole, steps) };
}

/**
 * @param began the first sample of the step from which on its progress is known
 * @param recent at least one, in the order of their times: the speed is that of these
 */
export function progressLine(began: StepSample, recent: readonly StepSample[]): string {
  const last = recent.at(-1)!;
  const { readCount, writeCount, filterCount, skipCount } = last.counters;
  const left = secondsLeft(began, last);
  const rate = rowsPerSecond(recent[0]!, last);
  const parts = [
    ...(last.progress === undefined ? [] : [percent(last.progress)]),
    ...(left === undefined ? [] : [`${duration(left)} left`]),
    `${grouped(readCount)} read`,
    `${grouped(writeCount)} written`,
    ...(filterCount > 0 ? [`${grouped(filterCount)} filtered`] : []),
    `${grouped(skipCount)} skipped`,
    ...(rate === undefined ? [] : [`${grouped(rate)} rows/s`]),
  ];
  return `${last.name}: ${parts.join(', ')}`;
}

/** At the speed since the beginning: a chunk may take longer than the speed of the last seconds can show. */
function secondsLeft(began: StepSample, last: StepSample): number | undefined {
  if (began.progress === undefined || last.progress === undefined) return undefined;
  const done = last.progress - began.progress;
  const seconds = (last.at - began.at) / 1000;
  return done > 0 ? Math.round(((1 - last.progress) / done) * seconds) : undefined;
}

function rowsPerSecond(first: StepSample, last: StepSample): number | undefined {
  const seconds = (last.at - first.at) / 1000;
  return seconds > 0 ? Math.round((passed(last.counters) - passed(first.counters)) / seconds) : undefined;
}

const passed = ({ readCount, readSkipCount }: StepCounters): number => readCount + readSkipCount;

const duration = (seconds: number): string => cliProgress.Format.TimeFormat(seconds, { autopaddingChar: '' }, 1);

export const grouped = (value: number): string => value.toLocaleString('en').replaceAll(',', ' ');
