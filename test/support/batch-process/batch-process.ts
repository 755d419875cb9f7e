import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { BatchProcessOptions, Order, Told } from './messages.js';

/** A process that runs jobs, see `main.ts`. */
export interface BatchProcess {
  order(order: Order): void;
  /** The first message of these kinds that nobody has taken yet. Rejects when the process has ended. */
  next<Is extends Told['is']>(...kinds: Is[]): Promise<Extract<Told, { is: Is }>>;
  signal(signal: NodeJS.Signals): void;
  /** For the clean-up: ends it if it still runs, and waits. */
  end(): Promise<void>;
}

export async function startBatchProcess(options: BatchProcessOptions): Promise<BatchProcess> {
  const child = fork(join(import.meta.dirname, 'main.ts'), [JSON.stringify(options)], {
    execArgv: ['--import', 'tsx'],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  let written = '';
  let hasExited = false;
  const told: Told[] = [];
  const watchers = new Set<() => void>();
  const look = (): void => [...watchers].forEach((watch) => watch());
  child.stderr!.on('data', (text: Buffer) => (written += text.toString()));
  child.on('message', (message: Told) => (told.push(message), look()));
  const exited = once(child, 'exit').then(() => ((hasExited = true), look()));
  const process: BatchProcess = {
    order: (order) => void child.send(order),
    next: <Is extends Told['is']>(...kinds: Is[]) =>
      new Promise<Extract<Told, { is: Is }>>((resolve, reject) => {
        const watch = (): void => {
          const index = told.findIndex(({ is }) => kinds.includes(is as Is));
          if (index < 0 && !hasExited) return;
          watchers.delete(watch);
          if (index >= 0) resolve(told.splice(index, 1)[0] as Extract<Told, { is: Is }>);
          else reject(new Error(`The process has ended and did not say ${kinds.join(' or ')}:\n${written}`));
        };
        watchers.add(watch);
        watch();
      }),
    signal: (signal) => void child.kill(signal),
    async end() {
      child.kill('SIGKILL');
      await exited;
    },
  };
  await process.next('ready');
  return process;
}
