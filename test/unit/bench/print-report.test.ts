import { describe, expect, it } from 'vitest';
import type { BenchReport } from '../../../bench/contest/contest.js';
import { judgeTargets } from '../../../bench/report/judge-targets.js';
import { printReport } from '../../../bench/report/print-report.js';
import { terminalOf, type Terminal } from '../../../bench/report/terminal.js';
import { cell, EVERYTHING, race, reportOf, sample } from './report-of.js';

const FILE: Terminal = { columns: Infinity, colours: false };
const ESCAPE = String.fromCharCode(27);

function printed(report: BenchReport, terminal = FILE): string {
  const lines: string[] = [];
  printReport(report, (line) => lines.push(line), terminal);
  return lines.join('\n');
}

/** The cells of the first row that begins so. */
function row(text: string, name: string): string[] {
  const line = text.split('\n').find((each) => each.startsWith(`│ ${name} `));
  return (line ?? '')
    .split('│')
    .map((each) => each.trim())
    .slice(1, -1);
}

describe('the printed report', () => {
  it('has a row a contestant: speed, ratios, and what 1000 operations cost', () => {
    const counted = { operations: 10_000, statements: 70, dataStatements: 50, commits: 10, roundTrips: 35 };
    const text = printed(
      reportOf([
        race('apply', [
          cell('direct', [180_000, 200_000, 250_000], { counted }),
          cell('pg-boss', [20_000], { counted: undefined }),
          cell('Batch Service', [90_000, 100_000, 110_000], {
            samples: [90_000, 100_000, 110_000].map((rate) =>
              sample(rate, { walBytes: 620_500, nodeCpuSeconds: 0.0151, postgresCpuSeconds: undefined }),
            ),
            counted,
          }),
        ]),
      ]),
    );
    const speed = '100 000 (90 000–110 000)';
    expect(row(text, 'Batch Service')).toEqual([
      'Batch Service',
      speed,
      '0.50×',
      '',
      '7',
      '5',
      '1',
      '3.50',
      '621',
      '15.1',
      '–',
    ]);
    expect(row(text, 'pg-boss').slice(0, 8)).toEqual(['pg-boss', '20 000', '0.10×', '5×', '–', '–', '–', '–']);
    expect(row(text, 'direct').slice(1, 4)).toEqual(['200 000 (180 000–250 000)', '1×', '0.50×']);
  });

  it('says of each target whether it is met, missed or not measured', () => {
    const verdicts = judgeTargets(EVERYTHING);
    const text = printed(reportOf(EVERYTHING, { verdicts }));
    for (const { claim, target, met } of verdicts) {
      const [, number, , judgement] = row(text, claim);
      expect([number, judgement], claim).toEqual([
        String(target),
        met === undefined ? 'not measured' : met ? 'met' : 'missed',
      ]);
    }
    expect(row(text, 'apply, plain inserts: at least 0.5 × direct')[2]).toBe('0.47');
  });

  it('says so when it was a quick run, and what that has left out', () => {
    const scale = { quick: true, operations: 2000, repetitions: 1, warmUps: 1, soakMinutes: 0 };
    const text = printed(reportOf([], { scale, leftOut: ['mixed: statements'] }));
    expect(text).toContain('quick run');
    expect(text).toContain('  mixed: statements');
    expect(printed(reportOf([]))).not.toMatch(/quick run|Left out/);
  });

  it.each([80, 100, 140])('is no wider than %d columns', (columns) => {
    const report = reportOf(EVERYTHING, { verdicts: judgeTargets(EVERYTHING) });
    const tables = printed(report, { columns, colours: false })
      .split('\n')
      .filter((line) => /^[│┌├└]/.test(line));
    expect(Math.max(...tables.map((line) => line.length))).toBeLessThanOrEqual(columns);
    for (const { contestant } of EVERYTHING.flatMap((each) => (each.kind === 'race' ? each.cells : []))) {
      expect(tables.join('\n')).toContain(contestant.split(/[ ,-]/)[0]);
    }
  });

  it('is coloured on a terminal, unless that is not wanted', () => {
    const stream = (isTTY: boolean) => ({ isTTY, columns: 120 }) as NodeJS.WriteStream;
    expect(terminalOf(stream(true), {})).toEqual({ columns: 120, colours: true });
    expect(terminalOf(stream(true), { NO_COLOR: '1' })).toEqual({ columns: 120, colours: false });
    expect(terminalOf(stream(false), {})).toEqual({ columns: Infinity, colours: false });
    expect(printed(reportOf(EVERYTHING))).not.toContain(ESCAPE);
    expect(printed(reportOf(EVERYTHING), { columns: 140, colours: true })).toContain(ESCAPE);
  });
});
