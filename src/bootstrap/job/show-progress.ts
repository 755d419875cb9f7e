import cliProgress from 'cli-progress';
import type { StepExecution } from '../../batch/model/step-execution.js';
import { progressLine, runningStep, type StepSample } from './step-progress.js';

export interface Progress {
  /** @param now in milliseconds, of a clock that never goes back */
  show(steps: readonly StepExecution[], now: number): void;
  /** Clears what is on the terminal. */
  end(): void;
}

/** Without a terminal, a line is written so often. */
const LINE_EVERY_MS = 5000;
/** The speed is that of this time. */
const WINDOW_MS = 10_000;
const BAR_COLUMNS = 25;

/**
 * Shows how far the running step is: on a terminal with a bar, in one line that changes, and elsewhere in a line from time to time. A step
 * that cannot tell has no bar and no percentage.
 */
export function showProgress(stream: NodeJS.WriteStream): Progress {
  const print = stream.isTTY ? onTerminal(stream) : asLines(stream);
  let began: StepSample | undefined;
  let recent: StepSample[] = [];
  return {
    show(steps, now) {
      const sample = runningStep(steps, now);
      if (sample === undefined) return;
      if (began?.name !== sample.name || began.progress === undefined) began = sample;
      recent = [...recent, sample].filter(({ name, at }) => name === sample.name && now - at <= WINDOW_MS);
      print.show({ line: progressLine(began, recent), progress: sample.progress }, now);
    },
    end: () => print.end(),
  };
}

interface Shown {
  line: string;
  /** From 0 to 1. */
  progress: number | undefined;
}

interface Printer {
  show(shown: Shown, now: number): void;
  end(): void;
}

function onTerminal(stream: NodeJS.WriteStream): Printer {
  const bar = new cliProgress.SingleBar({
    stream,
    format: (options, _params, { line, progress }: Shown) =>
      progress === undefined ? line : `${cliProgress.Format.BarFormat(progress, options)} ${line}`,
    barsize: BAR_COLUMNS,
    barCompleteChar: '\u2588',
    barIncompleteChar: '\u2591',
    hideCursor: true,
    clearOnComplete: true,
    gracefulExit: false,
  });
  return {
    show(shown) {
      if (bar.isActive) bar.update(shown);
      else bar.start(1, 0, shown);
    },
    end: () => bar.stop(),
  };
}

function asLines(stream: NodeJS.WriteStream): Printer {
  let writtenAt: number | undefined;
  return {
    show({ line }, now) {
      writtenAt ??= now;
      if (now - writtenAt < LINE_EVERY_MS) return;
      writtenAt = now;
      stream.write(`${line}\n`);
    },
    end: () => undefined,
  };
}
