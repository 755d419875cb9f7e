import { signal } from '@preact/signals';
import { reloadAll } from './resource.js';

export interface Notice {
  id: number;
  kind: 'done' | 'failed';
  text: string;
}

export const notices = signal<Notice[]>([]);
let last = 0;
const SHOWN_MS = 8000;

export function notify(kind: Notice['kind'], text: string): void {
  const id = ++last;
  notices.value = [...notices.value.slice(-3), { id, kind, text }];
  // A failure stays until it is read.
  if (kind === 'done') window.setTimeout(() => dismiss(id), SHOWN_MS);
}

export function dismiss(id: number): void {
  notices.value = notices.value.filter((each) => each.id !== id);
}

/** Does what a person asked for, says what became of it, and loads the page again. Answers whether it succeeded. */
export async function act(work: () => Promise<unknown>, done: string): Promise<boolean> {
  try {
    await work();
    notify('done', done);
    return true;
  } catch (error) {
    notify('failed', (error as Error).message);
    return false;
  } finally {
    reloadAll();
  }
}
