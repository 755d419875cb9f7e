import type { Steps } from './steps.js';

/** So long nobody else is answered. */
const SLICE_MS = 5;

/** The work in slices of 5 ms. In between, the event loop serves everybody else, health checks among them. */
export async function inSlices<T>(steps: Steps<T>): Promise<T> {
  for (;;) {
    for (const end = performance.now() + SLICE_MS; performance.now() < end;) {
      const { done, value } = steps.next();
      if (done === true) return value;
    }
    await new Promise(setImmediate);
  }
}
