import type { Steps } from './steps.js';

/** So long nobody else is answered. */
const SLICE_MS = 1;

interface Task {
  /** Does the next steps, for a slice at most. True when nothing is left to do. */
  advance(end: number): boolean;
}

/** What is under way. The first one has the next slice. */
type Queue = Task[];

const ordinary: Queue = [];
/** Of those who hold a transaction open meanwhile. They do not wait for all the ordinary ones. */
const urgent: Queue = [];

/**
 * The work in slices of a millisecond, one of all such works at a time and each in turn. Between two slices the event loop
 * serves everybody else, health checks among them.
 *
 * @param holdsTransaction such works have a slice of their own
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
