import type { IStats } from '../../../src/interfaces/stats.js';
import { signal } from '@preact/signals';
import { getStats } from '../api/endpoints.js';
import { open, UnreachableError } from '../api/request.js';

// The numbers of the queue, as they change: by server-sent events, or by asking every few seconds where a proxy does not let these
// through. The stream is read by `fetch`, because `EventSource` cannot send the key in a header.

export const stats = signal<IStats | undefined>(undefined);
/** When they came, in milliseconds. */
export const statsAt = signal(0);
export const statsError = signal<Error | undefined>(undefined);
export const live = signal<'stream' | 'polling' | 'off'>('off');

const POLL_MS = 2000;
/** A stream is silent for no longer than its heartbeat: after this time it is dead. */
const SILENCE_MS = 20_000;
const BACK_OFF_MS = [500, 1000, 2000, 5000];

/** Follows the numbers until the signal is aborted. */
export async function followStats(stop: AbortSignal): Promise<void> {
  let failures = 0;
  while (!stop.aborted) {
    try {
      await readStream(stop, () => (failures = 0));
    } catch (error) {
      if (stop.aborted) return;
      if (error instanceof UnreachableError) statsError.value = error;
      else if (await pollOnce(stop)) {
        await sleep(POLL_MS, stop);
        continue;
      }
    }
    live.value = 'off';
    const wait = BACK_OFF_MS[Math.min(failures++, BACK_OFF_MS.length - 1)] ?? POLL_MS;
    await sleep(wait, stop);
  }
}

async function pollOnce(stop: AbortSignal): Promise<boolean> {
  try {
    take(await getStats(stop));
    live.value = 'polling';
    return true;
  } catch (error) {
    if (!stop.aborted) statsError.value = error as Error;
    return false;
  }
}

async function readStream(stop: AbortSignal, onEvent: () => void): Promise<void> {
  const silence = new AbortController();
  let timer = 0;
  const heard = (): void => {
    window.clearTimeout(timer);
    timer = window.setTimeout(() => silence.abort(), SILENCE_MS);
  };
  try {
    heard();
    const response = await open('stats/stream', AbortSignal.any([stop, silence.signal]));
    if (response.body === null) return;
    let rest = '';
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      heard();
      const events = (rest + value).split('\n\n');
      rest = events.pop() ?? '';
      for (const event of events) {
        const data = dataOf(event);
        if (data === undefined) continue;
        take(JSON.parse(data) as IStats);
        live.value = 'stream';
        onEvent();
      }
    }
  } finally {
    window.clearTimeout(timer);
  }
}

/** Undefined for a comment, which is the heartbeat, and for other events. */
function dataOf(event: string): string | undefined {
  const lines = event.split('\n');
  const name =
    lines
      .find((line) => line.startsWith('event:'))
      ?.slice(6)
      .trim() ?? 'stats';
  const data = lines.filter((line) => line.startsWith('data:')).map((line) => line.slice(5).trimStart());
  return name === 'stats' && data.length > 0 ? data.join('\n') : undefined;
}

function take(value: IStats): void {
  stats.value = value;
  statsAt.value = Date.now();
  statsError.value = undefined;
}

function sleep(ms: number, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = window.setTimeout(resolve, ms);
    stop.addEventListener('abort', () => {
      window.clearTimeout(timer);
      resolve();
    });
  });
}
