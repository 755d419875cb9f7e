import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ItemReader, ItemStream } from '../../src/batch/chunk/item.js';
import { ExecutionContext, type JsonValue } from '../../src/batch/model/execution-context.js';
import { fakeItemContext, fakeStepScope } from '../../src/batch/testing/index.js';

export type StreamReader<T> = ItemReader<T> & ItemStream;

/** What a restart gets: what went through the store as JSON. */
export async function savedBy(stream: ItemStream): Promise<Record<string, JsonValue>> {
  const context = new ExecutionContext();
  await stream.update?.(context);
  return JSON.parse(JSON.stringify(context)) as Record<string, JsonValue>;
}

export async function opened<S extends object>(stream: S, saved: Record<string, JsonValue> = {}): Promise<S> {
  await (stream as ItemStream).open?.(new ExecutionContext(saved), fakeStepScope());
  return stream;
}

/** Up to `limit` items; errors stand among them. */
export async function take<T>(reader: ItemReader<T>, limit = Infinity): Promise<(T | Error)[]> {
  const items: (T | Error)[] = [];
  while (items.length < limit) {
    try {
      const item = await reader.read(fakeItemContext());
      if (item === null) return items;
      items.push(item);
    } catch (error) {
      items.push(error as Error);
    }
  }
  return items;
}

/**
 * Stops after each item in turn, reads two items more, which no chunk commits, and goes on with a new reader. Answers the items of the
 * first run up to the stop and those of the second.
 */
export async function restartedEverywhere<T>(make: () => StreamReader<T>): Promise<(T | Error)[][]> {
  const whole = await opened(make());
  const { length } = await take(whole);
  await whole.close?.();
  const runs: (T | Error)[][] = [];
  for (let stop = 0; stop <= length; stop += 1) {
    const first = await opened(make());
    const before = await take(first, stop);
    const saved = await savedBy(first);
    await take(first, 2);
    await first.close?.();
    const second = await opened(make(), saved);
    runs.push([...before, ...(await take(second))]);
    await second.close?.();
  }
  return runs;
}

export class TemporaryFolder {
  readonly path = mkdtempSync(join(tmpdir(), 'batch-items-'));

  file(name: string, content?: string | Uint8Array): string {
    const path = join(this.path, name);
    if (content !== undefined) writeFileSync(path, content);
    return path;
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
