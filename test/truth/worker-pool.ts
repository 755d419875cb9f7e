import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Server } from './database.js';
import type { FromWorker, Task, TaskResults, ToWorker } from './task.js';

export interface PoolPort<T extends Task> {
  onProgress(operations: number): void;
  onResult(task: T, result: TaskResults[T['kind']]): void;
}

/**
 * Processes that take the tasks from one list. Which of them does a task has no influence on its result.
 *
 * @throws when a task fails, or a process dies; the others are stopped then, as they are when `signal` says so
 */
export async function runTasks<T extends Task>(
  tasks: readonly T[],
  workers: number,
  server: Server,
  port: PoolPort<T>,
  signal: AbortSignal,
): Promise<void> {
  const waiting = [...tasks];
  const children = Array.from({ length: Math.min(workers, tasks.length) }, () =>
    fork(new URL('./worker.ts', import.meta.url), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }),
  );
  const stop = (): void => children.forEach((child) => void child.kill('SIGKILL'));
  signal.addEventListener('abort', stop, { once: true });
  try {
    await Promise.all(
      children.map(async (child) => {
        for (let task = waiting.shift(); task !== undefined; task = waiting.shift()) {
          const result = await perform(child, { server, task }, port.onProgress);
          port.onResult(task, result as TaskResults[T['kind']]);
        }
      }),
    );
  } finally {
    signal.removeEventListener('abort', stop);
    stop();
    await Promise.all(children.map(ended));
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}

function perform(
  child: ChildProcess,
  message: ToWorker,
  onProgress: (operations: number) => void,
): Promise<TaskResults[Task['kind']]> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null, signal: string | null): void =>
      settle(() => reject(new Error(`A worker process ended (${signal ?? code})`)));
    const onMessage = (reply: FromWorker): void => {
      if (reply.kind === 'progress') onProgress(reply.operations);
      else if (reply.kind === 'result') settle(() => resolve(reply.result));
      else settle(() => reject(new Error(`${nameOf(message.task)}: ${reply.message}`)));
    };
    const settle = (conclude: () => void): void => {
      child.off('exit', onExit);
      child.off('message', onMessage);
      conclude();
    };
    child.on('exit', onExit);
    child.on('message', onMessage);
    child.send(message);
  });
}

const nameOf = (task: Task): string => (task.kind === 'profile' ? task.profile : `without ${task.rule}`);
