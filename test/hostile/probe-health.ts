import { setTimeout as delay } from 'node:timers/promises';

const EVERY_MS = 25;
const TIMEOUT_MS = 30_000;

export interface HealthProbe {
  /** @returns milliseconds until each answer of `/health/live`; one that never came counts as 30 000 */
  stop(): Promise<number[]>;
}

/** Asks a process whether it is alive, again and again, on connections of its own as a supervisor does. */
export function probeHealth(url: string): HealthProbe {
  const answerMs: number[] = [];
  const stopping = new AbortController();
  const loop = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const startedAt = performance.now();
      const alive = await fetch(`${url}/health/live`, { signal: AbortSignal.timeout(TIMEOUT_MS) }).then(
        async (response) => (await response.text(), response.ok),
        () => false,
      );
      answerMs.push(alive ? performance.now() - startedAt : TIMEOUT_MS);
      await delay(EVERY_MS);
    }
  };
  const looping = loop();
  return {
    async stop() {
      stopping.abort();
      await looping;
      return answerMs;
    },
  };
}
