import type { Steps } from './steps.js';

/** During a slice the process answers nothing else. */
const SLICE_MS = 1;

interface Task {
  /** Does the next steps, for a slice at most. True when nothing is left to do. */
  advance(end: number): boolean;
}

/** Tasks in progress. The first one gets the next slice. */
type Queue = Task[];

const ordinary: Queue = [];
/** Tasks whose callers hold a transaction open. They do not wait for all ordinary tasks. */
const urgent: Queue = [];

/**
 * Does the work in slices of a millisecond. The tasks of a queue take turns. Between two slices the event loop serves
 * other requests, such as health checks.
 *
 * @param holdsTransaction such tasks have their own queue
 */
export function inSlices<T>(steps: Steps<T>, { holdsTransaction = false } = {}): Promise<T> {
  const queue = holdsTransaction ? urgent : ordinary;
  return new Promise((resolve, reject) => {
    const advance = (end: number): boolean => {
      try {
        do {
          const { done, value } = steps.next();
          if (done === true) return (resolve(value), true);
        } while (performance.now() < end);
        return false;
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)));
        return true;
      }
    };
    if (advance(performance.now() + SLICE_MS)) return;
    queue.push({ advance });
    if (queue.length === 1) setImmediate(runSlice, queue);
  });
}

function runSlice(queue: Queue): void {
  const task = queue.shift()!;
  if (!task.advance(performance.now() + SLICE_MS)) queue.push(task);
  if (queue.length > 0) setImmediate(runSlice, queue);
}
