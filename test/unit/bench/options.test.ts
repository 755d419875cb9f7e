import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FIGURES } from '../../../bench/figures.js';
import { readOptions, UsageError, type BenchOptions } from '../../../bench/options.js';
import { NODE_FLAGS } from '../../support/node-flags.js';

const read = (...args: string[]): BenchOptions => readOptions(args)!;
const names = ({ figures }: BenchOptions): string[] => figures.map(({ figure }) => figure.name);

describe('the options of the bench', () => {
  it('have everything done where nothing is asked for, kept under the time of the run', () => {
    const options = read();
    expect(options.figures).toEqual(FIGURES);
    expect(options).toMatchObject({ out: 'bench/results', dated: true, leftOut: [], scale: { soakMinutes: 0 } });
  });

  it('have names that stay in any other folder', () => {
    expect(read('--out', 'docs/performance')).toMatchObject({ out: 'docs/performance', dated: false });
  });

  it('tell what a quick run leaves out, which is done all the same where it is named', () => {
    const quick = read('--quick');
    const missing = FIGURES.filter((listed) => !quick.figures.includes(listed)).map(({ figure }) => figure.name);
    expect(missing).toEqual(['enqueue-single-256']);
    expect(quick.leftOut).toContain('enqueue-single-256: everything');
    expect(quick.leftOut.filter((line) => line.startsWith('mixed: '))).toHaveLength(1);
    const named = read('--quick', '--only', 'enqueue-single-256');
    expect(names(named)).toEqual(['enqueue-single-256']);
    expect(named.leftOut).toEqual([]);
  });

  it('say how often and how much is done', () => {
    const { scale } = read('--repetitions', '3', '--warm-ups', '2', '--operations', '20_000');
    expect(scale).toMatchObject({ repetitions: 3, warmUps: 2, operations: 20_000 });
    expect(read('--quick').scale).toMatchObject({ repetitions: 1, warmUps: 1, operations: 2000 });
  });

  it('put memory under load for as long as they say', () => {
    expect(read('--only', 'memory', '--soak', '60').scale.soakMinutes).toBe(60);
  });

  it.each([
    [['--soak', 'long'], '--soak: expected an integer from 1'],
    [['--soak', '0'], '--soak: expected an integer from 1'],
    [['--soak', '60', '--only', 'apply'], '--soak: it is a part of figure memory'],
    [['--only', 'aply'], 'there is no aply'],
    [['--operations', '1.5'], '--operations: expected an integer from 1'],
    [['--warm-ups', '0'], '--warm-ups: expected an integer from 1'],
  ])('are refused when they are %j', (args, message) => {
    expect(() => readOptions(args)).toThrow(UsageError);
    expect(() => readOptions(args)).toThrow(message);
  });
});

it('starts Node for the bench with as much room for what is young as the service, and as much for the rest as it likes', () => {
  const file = readFileSync(resolve(import.meta.dirname, '../../../package.json'), 'utf8');
  const { scripts } = JSON.parse(file) as { scripts: Record<string, string> };
  const young = NODE_FLAGS.filter((flag) => flag.includes('semi-space'));
  expect(scripts.bench).toContain(`node ${young.join(' ')} --import`);
});
