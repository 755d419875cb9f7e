import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/** A process that a test has started, and what it writes. */
export interface ObservedProcess {
  readonly child: ChildProcess;
  /** What it wrote so far, to both streams. */
  readonly output: string;
  /** Resolves with its exit code, or the signal that ended it. */
  readonly exited: Promise<number | NodeJS.Signals>;
  /** Resolves when a line that matches is written. Rejects with the output when the process ends before. */
  said(pattern: string | RegExp): Promise<void>;
  signal(signal: NodeJS.Signals): void;
  /** For the clean-up: ends it if it still runs, and waits. */
  end(): Promise<void>;
}

export function observeProcess(child: ChildProcess): ObservedProcess {
  let output = '';
  const watchers = new Set<() => void>();
  const append = (chunk: Buffer): void => {
    output += chunk.toString();
    for (const watch of [...watchers]) watch();
  };
  child.stdout?.on('data', append);
  child.stderr?.on('data', append);
  const exited = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | NodeJS.Signals);

  const said = (pattern: string | RegExp): Promise<void> =>
    new Promise((resolve, reject) => {
      const watch = (): void => {
        if (typeof pattern === 'string' ? !output.includes(pattern) : !pattern.test(output)) return;
        watchers.delete(watch);
        resolve();
      };
      watchers.add(watch);
      void exited.then((code) => {
        if (watchers.has(watch))
          reject(new Error(`The process ended with ${code}, before it said ${pattern}:\n${output}`));
      });
      watch();
    });

  return {
    child,
    get output() {
      return output;
    },
    exited,
    said,
    signal: (signal) => void child.kill(signal),
    async end() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}
