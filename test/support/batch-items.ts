import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ItemContext, ItemReader, ItemStream } from '../../src/batch/chunk/item.js';
import { ExecutionContext, type JsonValue } from '../../src/batch/model/execution-context.js';
import { JobExecution } from '../../src/batch/model/job-execution.js';
import { JobParameters } from '../../src/batch/model/job-parameters.js';
import { StepCounters } from '../../src/batch/model/step-counters.js';
import { StepExecution } from '../../src/batch/model/step-execution.js';
import { StepScope } from '../../src/batch/step/step-scope.js';

const JOB = new JobExecution('1', { id: '1', jobName: 'job' }, new JobParameters());

export const scopeOf = (step = new StepExecution('1', JOB.id, 'step')): StepScope => new StepScope(JOB, step);

/** The context of one attempt at a chunk, after `commitCount` chunks. */
export function itemContext<Tx>(tx: Tx, { commitCount = 0, retries = 0 } = {}): ItemContext<Tx> {
  const execution = new StepCounters();
  execution.commitCount = commitCount;
  return { tx, execution, previousError: undefined, retries, scope: scopeOf() };
}

export type StreamReader<T> = ItemReader<T> & ItemStream;

/** What a restart gets: what went through the store as JSON. */
export async function savedBy(stream: ItemStream): Promise<Record<string, JsonValue>> {
  const context = new ExecutionContext();
  await stream.update?.(context);
  return JSON.parse(JSON.stringify(context)) as Record<string, JsonValue>;
}

export async function opened<S extends object>(stream: S, saved: Record<string, JsonValue> = {}): Promise<S> {
  await (stream as ItemStream).open?.(new ExecutionContext(saved), scopeOf());
  return stream;
}

/** Up to `limit` items; errors stand among them. */
export async function take<T>(reader: ItemReader<T>, limit = Infinity): Promise<(T | Error)[]> {
  const items: (T | Error)[] = [];
  while (items.length < limit) {
    try {
      const item = await reader.read(itemContext(undefined));
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
