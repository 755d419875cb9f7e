import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

const README = join(import.meta.dirname, '../../README.md');

/** The programs in one section of the README, in their order. */
export async function readmeExamples(section: string, language: string): Promise<string[]> {
  const readme = await readFile(README, 'utf8');
  const [, text = ''] = readme.split(new RegExp(`^##+ ${section}$`, 'm'));
  const found = [...(text.split(/^##+ /m)[0] ?? '').matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'gms'))];
  if (found.length === 0) throw new Error(`README.md has no ${language} under '${section}'`);
  return found.map(([, program = '']) => program);
}

/** The SQL that makes the tables of *Try it*. */
export async function readmeTables(): Promise<string> {
  const [, session = ''] = await readmeExamples('Try it', 'sh');
  const [, sql] = /sql -- "(create table .*?)"/s.exec(session) ?? [];
  if (sql === undefined) throw new Error('README.md makes no tables under Try it');
  return sql;
}
