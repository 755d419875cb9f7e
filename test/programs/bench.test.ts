import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { homedir, hostname, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BenchReport, CellResult } from '../../bench/contest/contest.js';
import { NODE_FLAGS } from '../support/node-flags.js';
import { rootOfXml } from '../unit/bench/well-formed-xml.js';

const ROOT = resolve(import.meta.dirname, '../..');
const RUN_MS = 300_000;
const OPERATIONS = 500;
const CONTESTANTS = [
  'direct',
  'row by row',
  'row by row, 16 connections',
  'status column',
  'pg-boss',
  'graphile-worker',
  'bullmq',
  'Batch Service',
];

interface Ended {
  code: unknown;
  stdout: string;
  stderr: string;
}

/** `npm run bench` with these options. One that takes too long is asked to end, so that it stops its servers. */
function bench(...args: string[]): Promise<Ended> {
  return new Promise((ended) => {
    const command = [...NODE_FLAGS, '--import', 'tsx', 'bench/main.ts', ...args];
    execFile(process.execPath, command, { cwd: ROOT, timeout: RUN_MS }, (error, stdout, stderr) =>
      ended({ code: error === null ? 0 : error.code, stdout, stderr }),
    );
  });
}

describe('the bench', () => {
  let out: string;
  let run: Ended;
  let misspelt: Ended;
  let json: string;
  let cells: CellResult[];

  beforeAll(async () => {
    out = await mkdtemp(join(tmpdir(), 'bench-'));
    [run, misspelt] = await Promise.all([
      bench(
        ...['--only', 'apply', '--out', out],
        ...['--repetitions', '1', '--warm-ups', '1', '--operations', `${OPERATIONS}`],
      ),
      bench('--only', 'aply'),
    ]);
    expect(run.code, run.stderr + run.stdout).toBe(0);
    json = await readFile(join(out, 'latest.json'), 'utf8');
    cells = (JSON.parse(json) as BenchReport).figures.flatMap((result) => (result.kind === 'race' ? result.cells : []));
  }, RUN_MS + 20_000);
  afterAll(() => rm(out, { recursive: true, force: true }));

  it('has every contestant of the race, timed and counted', () => {
    expect(cells.map(({ contestant }) => contestant).sort()).toEqual([...CONTESTANTS].sort());
    for (const { contestant, samples, counted } of cells) {
      expect(samples.length, contestant).toBeGreaterThan(0);
      for (const { operations, seconds, walBytes } of samples) {
        expect(operations, contestant).toBe(OPERATIONS);
        expect(seconds, contestant).toBeGreaterThan(0);
        expect(walBytes, contestant).toBeGreaterThan(0);
      }
      expect(counted?.statements, contestant).toBeGreaterThan(0);
      expect(counted?.roundTrips, contestant).toBeGreaterThan(0);
    }
  });

  it('counts what it says it counts', () => {
    const countedOf = (name: string) => cells.find(({ contestant }) => contestant === name)!.counted!;
    const each = { statements: OPERATIONS, dataStatements: OPERATIONS, commits: OPERATIONS, roundTrips: OPERATIONS };
    expect(countedOf('row by row')).toEqual({ operations: OPERATIONS, ...each });
    expect(countedOf('direct')).toMatchObject({ statements: 1, dataStatements: 1, commits: 1, roundTrips: 1 });
    // Begin, claim, insert, mark, commit.
    expect(countedOf('status column')).toMatchObject({ statements: 5, dataStatements: 3, commits: 1, roundTrips: 5 });
  });

  it('counts to the service its one chunk, and not that it looked for more', () => {
    const { statements, dataStatements, commits, roundTrips } = cells.find(
      ({ contestant }) => contestant === 'Batch Service',
    )!.counted!;
    expect(commits).toBe(1);
    // A claim, the insert, and what settles them.
    expect(dataStatements).toBeGreaterThanOrEqual(3);
    expect(dataStatements).toBeLessThan(statements);
    expect(roundTrips).toBeLessThanOrEqual(statements);
  });

  it('prints a table, and the targets that this run can judge', () => {
    for (const contestant of CONTESTANTS) expect(run.stdout).toContain(`│ ${contestant} `);
    expect(run.stdout).toMatch(/apply, plain inserts: at least 0\.5 × direct *│ *1 │ *[\d.]+ │ (met|missed) /);
    expect(run.stdout).toMatch(/enqueue, 1000 a call: at least 1 × pg-boss *│ *3 │ *– │ not measured /);
  });

  it('writes its figures and plots, and nothing of whose machine it was', async () => {
    const files = (await readdir(out)).sort();
    expect(files).toEqual(['apply.svg', 'cost.svg', 'figures.md', 'latest.json']);
    for (const name of files.filter((each) => each.endsWith('.svg'))) {
      expect(rootOfXml(await readFile(join(out, name), 'utf8')), name).toBe('svg');
    }
    for (const secret of [hostname(), homedir(), ROOT, tmpdir()]) expect(json).not.toContain(secret);
  });

  it('refuses a figure that there is not, and lists those that there are', () => {
    const { code, stderr } = misspelt;
    expect(code).toBe(2);
    expect(stderr).toContain('aply');
    for (const name of ['apply', 'mixed', 'enqueue', 'isolation', 'backlog']) expect(stderr).toContain(name);
  });
});
