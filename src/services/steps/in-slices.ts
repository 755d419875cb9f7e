import type { Steps } from './steps.js';

/** So long nobody else is answered. */
const SLICE_MS = 1;

interface Task {
  /** Does the next steps, for a slice at most. True when nothing is left to do. */
  advance(end: number): boolean;
}

/** What is under way. The first one has the next slice. */
const tasks: Task[] = [];

/**
 * The work in slices of a millisecond, one of all such works at a time and each in turn. Between two slices the event loop serves everybody
 * else, health checks among them.
 */
export function inSlices<T>(steps: Steps<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const advance = (end: number): boolean => {
      try {
        do {
          const { done, value } = steps.next();
          if (done === true) return (resolve(value), true);
        } while (performance.now() < end);
        return false;
      } catch (error) {
        reject(error as Error);
        return true;
      }
    };
    if (advance(performance.now() + SLICE_MS)) return;
    tasks.push({ advance });
    if (tasks.length === 1) setImmediate(runSlice);
  });
}

function runSlice(): void {
  const task = tasks.shift()!;
  if (!task.advance(performance.now() + SLICE_MS)) tasks.push(task);
  if (tasks.length > 0) setImmediate(runSlice);
}
