import { describe, expect, it } from 'vitest';
import type { ErrorCode } from '../../../src/interfaces/error.js';
import type { BoundOperation } from '../../../src/services/planner/bound-operation.js';
import { findBlocked } from '../../../src/services/retry/row-blocking.js';
import type { WaitingRecord } from '../../../src/services/retry/waiting.sql.js';
import { column, table } from '../../support/table.js';
import { insert, remove, update, upsert } from '../support/planning.js';

const ITEM = table('item', [column('id', 'int4'), column('n', 'int4')]);
const kinds = {
  insert: () => insert(ITEM, { id: 1 }),
  ignore: () => insert(ITEM, { id: 1 }, { onConflict: 'ignore' }),
  upsert: () => upsert(ITEM, { id: 1 }),
  update: (more?: object) => update(ITEM, 1, { n: 1 }, more),
  delete: () => remove(ITEM, 1),
};

/** Rows of each operation, and which of them failed; answers the waits. */
function waits(
  chunk: readonly { operation: BoundOperation; rows: string; failed?: ErrorCode; delayMs?: number }[],
  queued: readonly WaitingRecord[] = [],
): (number | undefined)[] {
  const keys = new Map(chunk.map(({ operation, rows }) => [operation, [...rows]]));
  const deferred = new Map(
    chunk.flatMap(({ operation, failed: code, delayMs = 100 }) =>
      code === undefined ? [] : [[operation, { code, delayMs }] as const],
    ),
  );
  const operations = chunk.map(({ operation }) => operation);
  const blocked = findBlocked(operations, keys, queued, deferred);
  return operations.map((operation) => blocked.get(operation));
}

const queuedAt = (key: string, more: Partial<WaitingRecord> = {}): WaitingRecord => ({
  ...{ key, seq: 0, priority: 0, reason: 'retry', code: 'MISSING_PARENT', dueInMs: 70 },
  ...more,
});

describe('findBlocked', () => {
  it('blocks what follows on the row of a deferred operation, and on the row of a blocked one', () => {
    const found = waits([
      { operation: kinds.update(), rows: 'a' },
      { operation: kinds.insert(), rows: 'a', failed: 'MISSING_PARENT' },
      { operation: kinds.update(), rows: 'b' },
      { operation: kinds.update(), rows: 'ac' },
      { operation: kinds.update(), rows: 'c' },
    ]);
    expect(found).toEqual([undefined, undefined, undefined, 100, 100]);
  });

  it('names the last of the operations for which another one waits', () => {
    const found = waits([
      { operation: kinds.insert(), rows: 'a', failed: 'MISSING_PARENT', delayMs: 300 },
      { operation: kinds.insert(), rows: 'b', failed: 'MISSING_PARENT', delayMs: 200 },
      { operation: kinds.update(), rows: 'ab' },
    ]);
    expect(found[2]).toBe(300);
  });

  it('blocks an operation that was deferred itself behind an earlier one', () => {
    const found = waits([
      { operation: kinds.insert(), rows: 'a', failed: 'MISSING_PARENT' },
      { operation: kinds.insert(), rows: 'ab', failed: 'UNIQUE_VIOLATION', delayMs: 900 },
      { operation: kinds.delete(), rows: 'b' },
    ]);
    expect(found).toEqual([undefined, 100, 100]);
  });

  it('blocks operations on a row for which one waits in the queue', () => {
    const chunk = [
      { operation: kinds.update(), rows: 'a' },
      { operation: kinds.update(), rows: 'b' },
    ];
    expect(waits(chunk, [queuedAt('a')])).toEqual([70, undefined]);
  });

  it('does not block operations that were accepted before or have a higher priority', () => {
    const earlier = kinds.update();
    const { seq } = earlier.operation;
    const chunk = [
      { operation: earlier, rows: 'a' },
      { operation: kinds.update({ priority: 2 }), rows: 'a' },
      { operation: kinds.update(), rows: 'a' },
    ];
    expect(waits(chunk, [queuedAt('a', { seq: seq + 1, priority: 1 })])).toEqual([undefined, undefined, 70]);
  });

  it.each<[ErrorCode, (keyof typeof kinds)[]]>([
    ['ROW_NOT_FOUND', ['insert', 'ignore', 'upsert']],
    ['UNIQUE_VIOLATION', ['delete']],
    ['EXCLUSION_VIOLATION', ['delete']],
    ['MISSING_PARENT', []],
  ])('lets pass what is waited for after %s', (code, passing) => {
    for (const [kind, make] of Object.entries(kinds)) {
      const first = { operation: kinds.update(), rows: 'a', failed: code };
      const found = waits([first, { operation: make(), rows: 'a' }]);
      expect([kind, found[1] === undefined]).toEqual([kind, (passing as string[]).includes(kind)]);
      // Behind what follows, everything waits.
      const behind = waits([first, { operation: kinds.update(), rows: 'ab' }, { operation: make(), rows: 'b' }]);
      expect(behind[2]).toBe(100);
    }
  });
});
