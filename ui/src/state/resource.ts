import { signal, useSignal, useSignalEffect } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { ProblemError, reachable, UnreachableError } from '../api/request.js';
import { keyProblem } from './session.js';

/** Bumped when what the pages show may have changed: an action was done, a key was given, the service came back. */
const generation = signal(0);

export function reloadAll(): void {
  generation.value++;
}

export interface Resource<T> {
  data: T | undefined;
  error: Error | undefined;
  loading: boolean;
  reload: () => void;
}

/**
 * Loads what a page shows, again whenever `key` changes, and every `pollMs`. The last answer stays while the service does not
 * answer, and while the next one of the same key is on its way.
 */
export function useResource<T>(
  key: string,
  load: (stop: AbortSignal) => Promise<T>,
  { pollMs }: { pollMs?: number } = {},
): Resource<T> {
  const state = useSignal<{ key: string; data?: T; error?: Error; loading: boolean }>({ key, loading: true });
  const round = useSignal(0);
  const loader = useRef(load);
  loader.current = load;
  const seen = generation.value + round.value;

  useEffect(() => {
    const stop = new AbortController();
    let timer: number | undefined;
    const again = (): void => {
      if (pollMs !== undefined && !stop.signal.aborted) timer = window.setTimeout(() => void attempt(), pollMs);
    };
    const attempt = async (): Promise<void> => {
      // A tab that nobody sees asks nothing.
      if (document.hidden) return again();
      const before = state.peek();
      if (before.key !== key) state.value = { key, loading: true };
      try {
        const data = await loader.current(stop.signal);
        if (!stop.signal.aborted) state.value = { key, data, loading: false };
      } catch (error) {
        if (stop.signal.aborted) return;
        const { data } = state.peek();
        state.value = { key, loading: false, error: error as Error, ...(data !== undefined && { data }) };
      }
      again();
    };
    void attempt();
    return () => {
      stop.abort();
      window.clearTimeout(timer);
    };
  }, [key, pollMs, seen]);

  const { data, error, loading } = state.value;
  const current = state.value.key === key;
  return {
    data: current ? data : undefined,
    error: current ? error : undefined,
    loading: current ? loading : true,
    reload: () => round.value++,
  };
}

/** True: nothing that the reader of this page has to see, because the shell says it. */
export function isToldByShell(error: Error): boolean {
  return error instanceof UnreachableError || (error instanceof ProblemError && error.status === 401);
}

/** Loads again when the service answers again, or accepts the key. */
export function useComebacks(): void {
  const was = useRef({ reachable: true, refused: false });
  useSignalEffect(() => {
    const now = { reachable: reachable.value, refused: keyProblem.value !== undefined };
    const back = (now.reachable && !was.current.reachable) || (!now.refused && was.current.refused);
    was.current = now;
    if (back) window.setTimeout(reloadAll);
  });
}
