import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

describe('npm run truth', () => {
  function truth(...args: string[]): Promise<{ code: number; output: string }> {
    const program = resolve(import.meta.dirname, '../truth/main.ts');
    return new Promise((settle) => {
      execFile(process.execPath, ['--import', 'tsx', program, ...args], (error, stdout, stderr) => {
        settle({ code: error === null ? 0 : Number(error.code), output: stdout + stderr });
      });
    });
  }

  it('ends with 0 and a line for each profile when all agree', async () => {
    const { code, output } = await truth('--operations', '300', '--seed', '1', '--profile', 'few-rows');
    expect(output).toMatch(/^few-rows +3\d\d /m);
    expect(output).toContain('0 divergences');
    expect(code).toBe(0);
  }, 60_000);

  it('ends with 1 and says how to see it again when something differs', async () => {
    const args = ['--seed', '1', '--profile', 'few-rows', '--without', 'same row'];
    const { code, output } = await truth('--operations', '4000', '--workers', '1', ...args);
    const path = /--path (\S+)/.exec(output)?.[1];
    expect(path).toMatch(/^1\/\d+:/);
    expect(code).toBe(1);
    const again = await truth('--path', path!, ...args);
    expect(again.output).toContain(/DIVERGENCE[\s\S]+?Again:/.exec(output)![0]);
    expect(again.code).toBe(1);
  }, 120_000);

  it('ends with 2 and says what is wrong when it cannot do what was asked for', async () => {
    const { code, output } = await truth('--operation', '5');
    expect(output).toContain("Unknown option '--operation'");
    expect(output).toContain('--help lists the options');
    expect(code).toBe(2);
  });
});
