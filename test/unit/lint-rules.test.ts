import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { ESLint, type Linter } from 'eslint';
import { beforeAll, describe, expect, it } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../..');
/** A file of no project: to read the whole of this one takes many seconds. */
const ELSEWHERE = tmpdir();
const RULES = ['batch/no-names-as-keys', 'regexp/no-super-linear-backtracking', 'regexp/no-super-linear-move'];

/** The rules under test, as the project's configuration has them for the files of the service. */
async function linter(): Promise<ESLint> {
  const file = 'src/services/intake/check-value.ts';
  const config = (await new ESLint({ cwd: ROOT }).calculateConfigForFile(file)) as Required<Linter.Config>;
  const { plugins, rules, languageOptions } = config;
  return new ESLint({
    cwd: ELSEWHERE,
    overrideConfigFile: true,
    overrideConfig: {
      files: ['*.ts'],
      plugins,
      rules: Object.fromEntries(RULES.map((name) => [name, rules[name]])),
      languageOptions: {
        parser: languageOptions.parser,
        parserOptions: { projectService: { allowDefaultProject: ['*.ts'] }, tsconfigRootDir: ELSEWHERE },
      },
    },
  });
}

describe('npm run lint', () => {
  let eslint: ESLint;
  beforeAll(async () => {
    eslint = await linter();
    // The compiler reads its libraries now.
    await brokenBy('');
  }, 60_000);

  async function brokenBy(code: string): Promise<(string | null)[]> {
    const [result] = await eslint.lintText(code, { filePath: join(ELSEWHERE, 'not-there.ts') });
    return result!.messages.map(({ ruleId, message }) => ruleId ?? message);
  }

  it.each([
    'export const read = (row: Record<string, number>, column: string) => row[column];',
    'export const write = (row: Record<string, number>, column: string) => { row[column] = 1; };',
    'export const remove = (row: Record<string, number>, column: string) => delete row[column];',
    'export const ask = (row: object, column: string) => column in row;',
    'export const copy = (row: object) => Object.assign({}, row);',
    'export const either = (row: Record<string, number>, column: string | number) => row[column];',
    'export const any = <K extends string>(row: Record<string, number>, column: K) => row[column];',
  ])('refuses a name that may be any as a key of an object: %s', async (code) => {
    expect(await brokenBy(code)).toEqual(['batch/no-names-as-keys']);
  });

  it.each([
    ['regexp/no-super-linear-backtracking', 'const integer = /^0x(?:_?[0-9a-f]+)+$/;'],
    ['regexp/no-super-linear-backtracking', "const integer = new RegExp('^0o(?:_?[0-7]+)+$', 'i');"],
    ['regexp/no-super-linear-backtracking', 'const blanks = /^\\s+\\s*x/;'],
    ['regexp/no-super-linear-move', 'const secret = /[a-z.]+@/;'],
  ])('refuses an expression that takes more than linear time, by %s: %s', async (rule, code) => {
    expect(await brokenBy(`${code}\nexport {};`)).toEqual([rule]);
  });

  it.each([
    'export const integer = /^0x[0-9a-f]+(?:_[0-9a-f]+)*$/;',
    'export const first = (list: string[], index: number) => list[index];',
    'export const field = (point: { x: number; y: number }, axis: "x" | "y") => point[axis];',
    'export const pick = <K extends "x" | "y">(point: { x: number; y: number }, axis: K) => point[axis];',
  ])('lets pass: %s', async (code) => {
    expect(await brokenBy(code)).toEqual([]);
  });
});
