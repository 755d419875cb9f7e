import { describe, expect, it } from 'vitest';
import { judgeTargets } from '../../../bench/report/judge-targets.js';
import { markdownReport } from '../../../bench/report/markdown-report.js';
import { cell, EVERYTHING, race, reportOf } from './report-of.js';

/** The cells of the first row of a table that begins so. */
function row(page: string, first: string): string[] {
  const line = page.split('\n').find((each) => each.startsWith(`| ${first} |`));
  return (line ?? '').split(' | ').map((each) => each.replace(/^\| | \|$/g, '').trim());
}

describe('the page of a run', () => {
  const page = markdownReport(reportOf(EVERYTHING, { verdicts: judgeTargets(EVERYTHING) }));

  it('has a table for each figure, with a row for each contestant and each reading', () => {
    for (const result of EVERYTHING) {
      expect(page).toContain(`## ${result.title}`);
      const names = result.kind === 'race' ? result.cells.map(({ contestant }) => contestant) : [];
      for (const name of names) expect([row(page, name), row(page, `**${name}**`)].flat()).not.toEqual(['', '']);
      const readings = result.kind === 'study' ? result.readings : [];
      for (const { name } of readings) expect(page).toContain(`| ${name} |`);
    }
  });

  it('has the ratios of a race, the service in bold', () => {
    const races = [race('apply', [cell('direct', [200_000]), cell('Batch Service', [100_000])])];
    const own = markdownReport(reportOf(races));
    expect(row(own, '**Batch Service**').slice(1, 3)).toEqual(['**100 000**', '**0.50×**']);
    expect(row(own, 'direct').slice(1, 4)).toEqual(['200 000', '1×', '0.50×']);
  });

  it('has the verdict on each target', () => {
    const lines = page.split('\n');
    for (const { target, claim, met } of judgeTargets(EVERYTHING)) {
      const verdict = met === undefined ? 'not measured' : met ? 'met' : '**missed**';
      const line = lines.find((each) => each.startsWith(`| ${target} | ${claim} |`));
      expect(line?.endsWith(` | ${verdict} |`), claim).toBe(true);
    }
  });

  it('says which run it is of', () => {
    expect(page).toContain('2026-01-31T08:05:09');
    expect(page).toContain('2 × A processor');
  });

  it('keeps each cell in its row, whatever the names hold', () => {
    const own = markdownReport(reportOf([race('apply', [cell('a | b', [1000])])]));
    expect(own).toContain('| a \\| b |');
  });
});
