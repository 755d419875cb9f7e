import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BenchReport } from '../../../bench/contest/contest.js';
import { judgeTargets } from '../../../bench/report/judge-targets.js';
import { orderedJson } from '../../../bench/report/ordered-json.js';
import { plotReport } from '../../../bench/report/plots/plot-report.js';
import { writeReport } from '../../../bench/report/write-report.js';
import { cell, EVERYTHING, race, reportOf, study } from './report-of.js';
import { rootOfXml } from './well-formed-xml.js';

const PLOTS = ['apply', 'chunk-size', 'cost', 'end-to-end', 'enqueue', 'isolation', 'latency', 'soak'];

describe('the written report', () => {
  const report = reportOf(EVERYTHING, { verdicts: judgeTargets(EVERYTHING) });
  let folder: string;
  let names: string[];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bench-report-'));
    names = await writeReport(report, join(folder, 'results'), true);
  });
  afterAll(() => rm(folder, { recursive: true }));

  const read = (name: string): Promise<string> => readFile(join(folder, 'results', name), 'utf8');

  it('consists of the run as JSON, twice, of its tables, and of its plots', async () => {
    const expected = ['2026-01-31T0805.json', 'figures.md', 'latest.json', ...PLOTS.map((plot) => `${plot}.svg`)];
    expect([...names].sort()).toEqual(expected.sort());
    expect((await readdir(join(folder, 'results'))).sort()).toEqual(expected);
    expect(await read('latest.json')).toBe(await read('2026-01-31T0805.json'));
  });

  it('can be without the file that is named after its time', async () => {
    expect((await writeReport(report, join(folder, 'stable'), false)).sort()).toEqual(
      ['figures.md', 'latest.json', ...PLOTS.map((plot) => `${plot}.svg`)].sort(),
    );
  });

  it('has all that was measured in its JSON', async () => {
    const written = JSON.parse(await read('latest.json')) as BenchReport;
    expect(written.figures.map(({ name }) => name)).toEqual(report.figures.map(({ name }) => name));
    expect(written.verdicts).toHaveLength(report.verdicts.length);
    const cellsOf = ({ figures }: BenchReport) =>
      figures
        .flatMap((result) => (result.kind === 'race' ? result.cells : []))
        .map(({ samples, ...rest }) => ({
          ...rest,
          samples: samples.map(({ seconds: _, ...exact }) => exact),
        }));
    expect(cellsOf(written)).toEqual(cellsOf(report));
    expect(written.seconds).toBe(12.3457);
  });

  it.each(PLOTS)('has well-formed SVG in %s', async (plot) => {
    const svg = await read(`${plot}.svg`);
    expect(rootOfXml(svg)).toBe('svg');
    expect(svg).not.toMatch(/NaN|undefined|Infinity/);
  });

  it('shows each contestant, its throughput and its ratio', () => {
    const svg = plotReport(report).get('apply.svg')!;
    for (const text of [
      'direct',
      'row by row, 16 connections',
      'bullmq',
      '108 000',
      '0.47× direct',
      '2 × A processor',
    ]) {
      expect(svg).toContain(text);
    }
  });

  it('stays well-formed whatever the names hold', () => {
    const figures = [race('apply', [cell('a < b & "c"', [1000])], `1 < 2 & 3 > "2"`)];
    const machine = { ...report.machine, model: `<Intel & "Sons">` };
    for (const svg of plotReport(reportOf(figures, { machine })).values()) expect(rootOfXml(svg)).toBe('svg');
  });

  it('plots only what was measured', () => {
    expect([...plotReport(reportOf([])).keys()]).toEqual([]);
    expect([...plotReport(reportOf([race('enqueue', [cell('pg-boss', [1000])])])).keys()]).toEqual(['enqueue.svg']);
    const single = study('memory', [], [{ name: 'soak', points: [] }]);
    expect([...plotReport(reportOf([single])).keys()]).toEqual([]);
  });

  it('refuses to plot a point that lacks a value', () => {
    const figures = [study('latency', [], [{ name: 'latency', points: [{ throughput: 1, createdToAppliedP50: 1 }] }])];
    expect(() => plotReport(reportOf(figures))).toThrow('createdToAppliedP99');
  });
});

describe('the JSON of a report', () => {
  it('has names first, and no more digits than were measured', () => {
    expect(orderedJson({ b: 1 / 3, seconds: 1, a: [{ values: [123_456_789, 1e-9 / 3], name: 'n' }], name: 'x' })).toBe(
      `${JSON.stringify(
        { name: 'x', seconds: 1, b: 0.333333, a: [{ name: 'n', values: [123_456_789, 3.33333e-10] }] },
        null,
        2,
      )}\n`,
    );
  });
});
