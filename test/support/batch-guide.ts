import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

const GUIDE = join(import.meta.dirname, '../../docs/batch-guide.md');
const FIRST_JOB = 'First job in ten minutes';

/** A step of the first section: a file to write, or commands to run and what they print. */
export type GuideStep =
  { does: 'write'; path: string; content: string } | { does: 'run'; commands: string; prints: string | undefined };

const BLOCK = /^(?:`(?<path>[\w./-]+)`\n\n)?```(?<language>\w+)\n(?<content>.*?)^```$/gms;

/** The first section, block by block. */
export async function firstJob(): Promise<GuideStep[]> {
  const [, section = ''] = (await readFile(GUIDE, 'utf8')).split(new RegExp(`^## ${FIRST_JOB}$`, 'm'));
  const steps: GuideStep[] = [];
  for (const { groups = {} } of (section.split(/^## /m)[0] ?? '').matchAll(BLOCK)) {
    const { path, language, content = '' } = groups;
    const last = steps.at(-1);
    if (path !== undefined) steps.push({ does: 'write', path, content });
    else if (language === 'sh') steps.push({ does: 'run', commands: content, prints: undefined });
    else if (language === 'text' && last?.does === 'run' && last.prints === undefined) last.prints = content;
    else throw new Error(`The first job has a block that is no file, command or output:\n${content}`);
  }
  return steps;
}

/** The programs of all other sections, each with the line at which it begins. */
export async function guideExamples(): Promise<{ line: number; program: string }[]> {
  const guide = await readFile(GUIDE, 'utf8');
  const after = guide.indexOf('\n## ', guide.indexOf(`\n## ${FIRST_JOB}\n`) + 1);
  return [...guide.matchAll(BLOCK)]
    .filter(({ index, groups }) => index > after && groups?.language === 'ts')
    .map(({ index, groups }) => ({
      line: guide.slice(0, index).split('\n').length + 1,
      program: groups?.content ?? '',
    }));
}
