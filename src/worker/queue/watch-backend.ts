import { setTimeout as delay } from 'node:timers/promises';
import type { BackendFactory } from 'bullmq';
import { WorkerError } from '../worker-error.js';
import { redisRefusal, type RedisRefusal } from './redis-refusal.js';

type Backend = ReturnType<BackendFactory>;
type Around = (call: () => Promise<unknown>) => Promise<unknown>;

const TRY_AGAIN_MS = 1000;

/** How the queue learns what became of a job. */
const SETTLING = [
  'moveToCompleted',
  'moveToFailed',
  'moveToDelayed',
  'moveToWaitingChildren',
  'moveJobFromActiveToWait',
  'retryJob',
] as const;
const ADDING = ['addJob', 'addJobs', 'addFlow'] as const;

const watches = new WeakMap<object, QueueWatch>();

/** Knows whether the server of a queue takes writes, and tells each change once. */
export class QueueWatch {
  private listener: ((refusal: RedisRefusal | undefined) => void) | undefined;
  private current: RedisRefusal | undefined;

  /** Why the server takes no writes now. */
  get refusal(): RedisRefusal | undefined {
    return this.current;
  }

  /** @param listener is told of each refusal, and that there is none any more */
  listen(listener: (refusal: RedisRefusal | undefined) => void): void {
    this.listener = listener;
    if (this.current !== undefined) listener(this.current);
  }

  /** @returns whether the error is a refusal */
  note(error: unknown): boolean {
    const refusal = redisRefusal(error);
    if (refusal !== undefined) this.change(refusal);
    return refusal !== undefined;
  }

  served(): void {
    this.change(undefined);
  }

  private change(refusal: RedisRefusal | undefined): void {
    if (refusal?.code === this.current?.code) return;
    this.current = refusal;
    this.listener?.(refusal);
  }
}

/** Undefined for a backend that is not of `queueConnection()`. */
export const watchOf = (backend: object): QueueWatch | undefined => watches.get(backend);

/**
 * Gives a backend of BullMQ the patience that BullMQ has only with a connection that is lost:
 *
 * - A worker that gets no job because of an error would ask again at once, thousands of times a second. Here it waits.
 * - What became of a job is said again until Redis takes it. BullMQ would give it up, and the job would run once more.
 * - A job that cannot be added is an error that says what to do.
 */
export function watchBackend(backend: Backend): Backend {
  const watch = new QueueWatch();
  watches.set(backend, watch);

  const noted: Around = async (call) => {
    try {
      const answer = await call();
      watch.served();
      return answer;
    } catch (error) {
      watch.note(error);
      throw error;
    }
  };
  wrap(backend, ['extendLocks'], noted);
  wrap(backend, ['moveToActive'], async (call) => {
    try {
      return await noted(call);
    } catch (error) {
      await delay(TRY_AGAIN_MS);
      throw error;
    }
  });
  wrap(backend, ['waitForJob'], async (call) => {
    try {
      // That it waits says nothing: a Redis that takes no writes for want of memory lets it wait.
      return await call();
    } catch (error) {
      // A stop closes the connection, and does not wait.
      if (watch.note(error)) await delay(TRY_AGAIN_MS);
      throw error;
    }
  });
  wrap(backend, SETTLING, async (call) => {
    for (;;) {
      try {
        return await noted(call);
      } catch (error) {
        // A refused command was not executed, so it may be sent again. A lost connection leaves that open, and so does
        // a missing right: Redis looks at the rights before each command of a script.
        const refusal = redisRefusal(error);
        if (refusal === undefined || refusal.code === 'NOPERM') throw error;
        await delay(TRY_AGAIN_MS, undefined, { ref: false });
      }
    }
  });
  wrap(backend, ADDING, async (call) => {
    try {
      return await noted(call);
    } catch (error) {
      const refusal = redisRefusal(error);
      if (refusal === undefined) throw error;
      throw new WorkerError('QUEUE_REFUSED', `No job is added: the server of the queues ${refusal.text}`, {
        cause: error,
      });
    }
  });
  return backend;
}

function wrap(backend: Backend, names: readonly (keyof Backend)[], around: Around): void {
  for (const name of names) {
    const method = (backend[name] as (...args: unknown[]) => Promise<unknown>).bind(backend);
    Reflect.set(backend, name, (...args: unknown[]) => around(() => method(...args)));
  }
}
