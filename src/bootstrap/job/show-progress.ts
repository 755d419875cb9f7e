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

/** Shows the counters and the speed of the running step: on a terminal in one line that changes, elsewhere in a line from time to time. */
export function showProgress(stream: NodeJS.WriteStream): Progress {
  const print = stream.isTTY ? onTerminal(stream) : asLines(stream);
  let samples: StepSample[] = [];
  return {
    show(steps, now) {
      const sample = runningStep(steps, now);
      if (sample === undefined) return;
      samples = [...samples, sample].filter(({ name, at }) => name === sample.name && now - at <= WINDOW_MS);
      print.show(progressLine(samples), now);
    },
    end: () => print.end(),
  };
}

interface Printer {
  show(line: string, now: number): void;
  end(): void;
}

/** How many items there are to read is not known, so there is no bar and no percentage. */
function onTerminal(stream: NodeJS.WriteStream): Printer {
  const bar = new cliProgress.SingleBar({
    stream,
    format: (_options, _params, { line }: { line: string }) => line,
    hideCursor: true,
    clearOnComplete: true,
    gracefulExit: false,
  });
  return {
    show(line) {
      if (bar.isActive) bar.update({ line });
      else bar.start(0, 0, { line });
    },
    end: () => bar.stop(),
  };
}

function asLines(stream: NodeJS.WriteStream): Printer {
  let writtenAt: number | undefined;
  return {
    show(line, now) {
      writtenAt ??= now;
      if (now - writtenAt < LINE_EVERY_MS) return;
      writtenAt = now;
      stream.write(`${line}\n`);
    },
    end: () => undefined,
  };
}
