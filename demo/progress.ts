import cliProgress from 'cli-progress';
import { grouped } from './numbers.js';

const LINES_PER_BAR = 4;
const LABEL_WIDTH = 12;

/** Shows the progress of some work. */
export type Bar = (value: number) => void;

export interface Progress {
  bar(label: string, total: number): Bar;
  /** Leaves the last state on the screen and resets the terminal. May be called again. */
  stop(): void;
}

/** Shows bars on a terminal. Elsewhere it prints a line from time to time. */
export function showProgress(stream: NodeJS.WriteStream): Progress {
  return stream.isTTY ? bars(stream) : lines((line) => stream.write(`${line}\n`));
}

function bars(stream: NodeJS.WriteStream): Progress {
  const all = new cliProgress.MultiBar({
    stream,
    format: `  {label} {bar} {count} of {all}`,
    barCompleteChar: '█',
    barIncompleteChar: '░',
    barsize: 40,
    hideCursor: true,
    stopOnComplete: false,
    // The demo handles signals itself.
    gracefulExit: false,
  });
  return {
    bar(label, total) {
      const payload = (value: number) => ({
        label: label.padEnd(LABEL_WIDTH),
        count: grouped(value),
        all: grouped(total),
      });
      const bar = all.create(total, 0, payload(0));
      return (value) => bar.update(value, payload(value));
    },
    stop: () => all.stop(),
  };
}

export function lines(write: (line: string) => void): Progress {
  return {
    bar(label, total) {
      let written = 0;
      return (value) => {
        const quarters = Math.floor((value * LINES_PER_BAR) / total);
        if (quarters <= written) return;
        written = quarters;
        write(`  ${label.padEnd(LABEL_WIDTH)} ${grouped(value)} of ${grouped(total)}`);
      };
    },
    stop: () => undefined,
  };
}
