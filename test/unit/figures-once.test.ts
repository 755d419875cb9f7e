import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
/** How a measured speed is written: 12×, 2.4 times as fast, 40 k/s, 5 000 operations a second. */
const SPEED = /\d\s?×|\d\s?k\/s|\d times (?:as fast|faster|as many)|\d operations (?:a|per) second/g;

const speedsIn = (text: string): string[] => [...text.matchAll(SPEED)].map(([speed]) => speed);

describe('measured speeds', () => {
  const pages = [
    'README.md',
    ...readdirSync(join(ROOT, 'docs')).flatMap((name) => (name.endsWith('.md') ? [`docs/${name}`] : [])),
  ];

  it.each(pages)('are not in %s, which a person writes', (page) => {
    expect(speedsIn(readFileSync(join(ROOT, page), 'utf8'))).toEqual([]);
  });

  it('are in the page that the bench writes', () => {
    const page = readFileSync(join(ROOT, 'docs/performance/figures.md'), 'utf8');
    expect(page).toContain('Written by `npm run bench`');
    expect(speedsIn(page).length).toBeGreaterThan(10);
  });

  it('are recognised', () => {
    const text = 'It is 12× or 2.4 times as fast, and takes 40 k/s, which is 5 000 operations a second.';
    expect(speedsIn(text)).toEqual(['2×', '4 times as fast', '0 k/s', '0 operations a second']);
  });
});
