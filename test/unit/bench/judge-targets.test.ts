import { describe, expect, it } from 'vitest';
import type { FigureResult, Verdict } from '../../../bench/contest/contest.js';
import { judgeTargets } from '../../../bench/report/judge-targets.js';
import { applyRateAt, ISOLATION_AGAINST_SAVEPOINTS } from '../../../bench/studies/reading-names.js';
import { cell, race, reading, sample, study } from './report-of.js';

const judged = (...figures: FigureResult[]): Verdict[] =>
  judgeTargets(figures).filter(({ value }) => value !== undefined);
const verdict = (claim: string, ...figures: FigureResult[]): Pick<Verdict, 'value' | 'met'> => {
  const found = judgeTargets(figures).filter((each) => each.claim.startsWith(claim));
  expect(found, claim).toHaveLength(1);
  return { value: found[0]!.value, met: found[0]!.met };
};

describe('the judge of the targets', () => {
  it('has each target from 1 to 10 and 12, and no verdict on what was not measured', () => {
    const verdicts = judgeTargets([]);
    expect([...new Set(verdicts.map(({ target }) => target))]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12]);
    expect(verdicts.filter(({ value, met }) => value !== undefined || met !== undefined)).toEqual([]);
    expect(new Set(verdicts.map(({ claim }) => claim)).size).toBe(verdicts.length);
  });

  it('compares medians, not the best', () => {
    const apply = (rates: number[]) => race('apply', [cell('direct', [100, 200, 900]), cell('Batch Service', rates)]);
    expect(verdict('apply, plain inserts: at least 0.5 × direct', apply([1, 100, 5000]))).toEqual({
      value: 0.5,
      met: true,
    });
    expect(verdict('apply, plain inserts: at least 0.5 × direct', apply([98, 99, 5000]))).toMatchObject({ met: false });
  });

  it.each([
    ['apply, mixed kinds', 'mixed', 'direct', 'Batch Service', 0.3],
    ['apply, plain inserts: at least 5 × pg-boss', 'apply', 'pg-boss', 'Batch Service', 5],
    ['messy data, 2 % refused', 'messy-2', 'row by row', 'Batch Service', 8],
    ['messy data, 12 % refused', 'messy-12', 'row by row', 'Batch Service', 5],
    ['enqueue, 1000 a call', 'enqueue', 'pg-boss', 'Batch Service', 1],
    ['enqueue, one a call, 64 in flight', 'enqueue-single', 'empty echo', 'Batch Service', 0.6],
    ["enqueue, one a call, with Nest's client", 'enqueue-single', 'empty echo', 'Batch Service, Nest client', 0.6],
    ['enqueue, one a call, 256 in flight', 'enqueue-single-256', 'empty echo', 'Batch Service', 0.6],
    ['end to end, api and worker', 'end-to-end', 'direct', 'Batch Service', 0.2],
    ['end to end, one process', 'end-to-end', 'direct', 'Batch Service, one process', 0.2],
  ])('%s: met from its bound on', (claim, name, control, contestant, bound) => {
    const at = (ratio: number) => race(name, [cell(control, [1000]), cell(contestant, [1000 * ratio])]);
    expect(verdict(claim, at(bound * 1.01))).toMatchObject({ met: true });
    expect(verdict(claim, at(bound * 0.99))).toMatchObject({ met: false });
  });

  it('has no verdict on a race in which the control, or the service, did not take part', () => {
    expect(judged(race('enqueue', [cell('Batch Service', [1000])]))).toEqual([]);
    expect(judged(race('enqueue', [cell('pg-boss', [1000])]))).toEqual([]);
    expect(judged(race('enqueue', [cell('pg-boss', []), cell('Batch Service', [])]))).toEqual([]);
  });

  it('reckons what an operation, and a chunk of 1000, costs', () => {
    const service = (walBytes: number, statements: number, dataStatements: number, commits: number) =>
      race('apply', [
        cell('Batch Service', [], {
          samples: [sample(1000, { operations: 30_000, walBytes: walBytes * 30_000 })],
          counted: { operations: 10_000, statements, dataStatements, commits, roundTrips: 10 },
        }),
      ]);
    const dear = service(851, 82, 81, 11);
    expect(verdict('WAL of an operation, applied', dear)).toEqual({ value: 851, met: false });
    expect(verdict('statements a chunk of 1000 that carry data', dear)).toEqual({ value: 8.1, met: false });
    expect(verdict('commits a chunk', dear)).toEqual({ value: 1.1, met: false });
    expect(judged(service(850, 80, 80, 10)).map(({ met }) => met)).toEqual([true, true, true]);
    const whole = race('end-to-end', [cell('Batch Service', [1000])]);
    expect(verdict('WAL of an operation, taken in and applied', whole)).toEqual({ value: 400, met: true });
  });

  it('judges isolation by the fault that costs most', () => {
    const isolation = study('isolation', [
      reading('isolation k=1 / clean, whole chunk, check', 'x', 1.2, 1.3, 9),
      reading('isolation k=1 / clean, whole chunk, foreign key', 'x', 2.1, 2.2, 2.3),
      reading('isolation k=100 / clean, whole chunk, check', 'x', 3.9),
      reading('isolation k=1000 / clean, whole chunk, check', 'x', 40),
      reading(`${ISOLATION_AGAINST_SAVEPOINTS}, awaited, check`, 'x', 0.3),
      reading(`${ISOLATION_AGAINST_SAVEPOINTS}, pipelined, check`, 'x', 1.3),
    ]);
    expect(verdict('isolation of 1 in 1000, whole chunk', isolation)).toEqual({ value: 2.2, met: false });
    expect(verdict('isolation of 100 in 1000, whole chunk', isolation)).toEqual({ value: 3.9, met: true });
    expect(verdict('isolation of 1 in 1000, executor alone', isolation)).toEqual({ value: undefined, met: undefined });
    expect(verdict('isolation, all bad', isolation)).toEqual({ value: 1.3, met: false });
  });

  it.each([
    ['latency', 'created → applied p99 at 30 %', 50],
    ['latency', 'applied → notified p99 at 30 %', 25],
    ['memory', 'RSS of the worker', 200],
    ['memory', 'RSS of the api', 200],
    ['memory', 'soak slope of the worker', 8],
    ['memory', 'soak slope of the api', 8],
  ])('%s: met up to its bound', (name, of, bound) => {
    const at = (value: number) => study(name, [reading(of, 'unit', value), reading(`${of}, one process`, 'unit', 1e6)]);
    expect(verdict(of, at(bound))).toEqual({ value: bound, met: true });
    expect(verdict(of, at(bound + 1))).toMatchObject({ met: false });
  });

  it.each(['worker', 'api'])('memory of the %s: met only if no repetition exceeds it', (role) => {
    const name = `RSS of the ${role}`;
    expect(verdict(name, study('memory', [reading(name, 'MB', 150, 201, 160)]))).toEqual({ value: 201, met: false });
    expect(verdict(name, study('memory', [reading(name, 'MB', 150, 199, 160)]))).toEqual({ value: 199, met: true });
  });

  it('judges the backlog only by a million', () => {
    const rates = (pending: number, rate: number) =>
      study('backlog', [
        reading(applyRateAt(10_000), 'operations/s', 100),
        reading(applyRateAt(pending), 'operations/s', rate),
      ]);
    expect(verdict('apply with 1 000 000 pending', rates(1_000_000, 89))).toEqual({ value: 0.89, met: false });
    expect(verdict('apply with 1 000 000 pending', rates(1_000_000, 90))).toEqual({ value: 0.9, met: true });
    expect(judged(rates(20_000, 90))).toEqual([]);
  });
});
