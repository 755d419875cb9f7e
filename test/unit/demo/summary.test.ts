import { describe, expect, it } from 'vitest';
import type { ChunkFigures } from '../../../demo/demo-service.js';
import { summarise, type DemoResult } from '../../../demo/summary.js';
import type { Story } from '../../../demo/verify.js';
import { failing, good, refused } from '../../../demo/work-item.js';

const request = { operationType: 'insert', target: 'orders', values: { id: 1 } } as const;
const failure = (code: 'UNIQUE_VIOLATION' | 'MISSING_PARENT', message: string): Story => ({
  item: failing(code, request),
  answer: { accepted: 'x' },
  notified: { status: 'failed', code, message },
});
const chunk = (statements: number, durationMs: number, fallback: boolean): ChunkFigures => ({
  statements,
  durationMs,
  fallback,
});
const result: DemoResult = {
  stories: [
    { item: good(request), answer: { accepted: 'a' }, notified: { status: 'completed' } },
    failure('MISSING_PARENT', 'no such customer'),
    failure('UNIQUE_VIOLATION', 'the first one'),
    failure('UNIQUE_VIOLATION', 'the second one'),
    {
      item: refused('UNKNOWN_COLUMN', request),
      answer: { refused: 'UNKNOWN_COLUMN', message: 'a long text'.repeat(20) },
    },
  ],
  chunks: [chunk(7, 250, true), chunk(3, 150, false)],
  tables: [{ table: 'orders', rows: 1234, differences: [] }],
  repeated: 0,
  endToEndMs: 500,
  rowByRowMs: 2000,
  differences: [],
};
const plain = (of: DemoResult): string => summarise(of, (_, text) => text, 100).join('\n');

describe('the summary of the demo', () => {
  it('counts what failed by its reason, the most frequent first, with one example each', () => {
    expect(plain(result)).toMatch(
      /1 completed\n +3 failed.*\n +2 UNIQUE_VIOLATION +the first one\n +1 MISSING_PARENT +no such/,
    );
    expect(plain(result)).toMatch(/1 refused at once.*\n +1 UNKNOWN_COLUMN +a long text/);
  });

  it('keeps every line within the terminal', () => {
    expect(
      Math.max(
        ...plain(result)
          .split('\n')
          .map(({ length }) => length),
      ),
    ).toBeLessThanOrEqual(100);
  });

  it('tells operations a second, of the whole and of the chunks alone, beside row by row', () => {
    expect(plain(result)).toMatch(/Batch Service +10\/s +0\.50 s/);
    expect(plain(result)).toMatch(/applying +10\/s +0\.40 s +10 statements in 2 chunks, 1 of which had to isolate/);
    expect(plain(result)).toMatch(/row by row +2\/s +2\.00 s/);
    expect(plain(result)).toContain('4.0 times as fast with queue and notifications, 5.0 times in the chunks alone');
  });

  it('claims nothing when something differs, and shows the first ten', () => {
    const differences = Array.from({ length: 12 }, (_, index) => `difference ${index + 1}.`);
    const text = plain({ ...result, differences });
    expect(text).not.toContain('✓');
    expect(text).toContain('✗ 12 differences');
    expect(text).toContain('difference 10.');
    expect(text).not.toContain('difference 11.');
  });
});
