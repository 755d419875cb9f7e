import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

const GUIDE = join(import.meta.dirname, '../../docs/batch-guide.md');
const FIRST_JOB = 'First job in ten minutes';
const TESTING = 'Testing jobs';

/** A step of a reader: a file to write, or commands to run and what they print. */
export type GuideStep =
  { does: 'write'; path: string; content: string } | { does: 'run'; commands: string; prints: string | undefined };

const BLOCK = /^(?:`(?<path>[\w./-]+)`\n\n)?```(?<language>\w+)\n(?<content>.*?)^```$/gms;

/** The first section, block by block. */
export const firstJob = (): Promise<GuideStep[]> => stepsOf(FIRST_JOB);

/** The test of the first job, and how it is run. */
export async function testOfFirstJob(): Promise<GuideStep[]> {
  return (await stepsOf(TESTING, ({ path, language }) => path !== undefined || language === 'sh')).slice(0, 2);
}

type Block = Partial<Record<'path' | 'language' | 'content', string>>;

async function stepsOf(heading: string, isStep: (block: Block) => boolean = () => true): Promise<GuideStep[]> {
  const [, section = ''] = (await readFile(GUIDE, 'utf8')).split(new RegExp(`^## ${heading}$`, 'm'));
  const steps: GuideStep[] = [];
  for (const { groups = {} } of (section.split(/^## /m)[0] ?? '').matchAll(BLOCK)) {
    const { path, language, content = '' } = groups;
    if (!isStep(groups)) continue;
    const last = steps.at(-1);
    if (path !== undefined) steps.push({ does: 'write', path, content });
    else if (language === 'sh') steps.push({ does: 'run', commands: content, prints: undefined });
    else if (language === 'text' && last?.does === 'run' && last.prints === undefined) last.prints = content;
    else throw new Error(`'${heading}' has a block that is no file, command or output:\n${content}`);
  }
  return steps;
}

/** The programs of all other sections, each with the line at which it begins. */
export async function guideExamples(): Promise<{ line: number; program: string }[]> {
  const guide = await readFile(GUIDE, 'utf8');
  const after = guide.indexOf('\n## ', guide.indexOf(`\n## ${FIRST_JOB}\n`) + 1);
  return [...guide.matchAll(BLOCK)]
    .filter(({ index, groups }) => index > after && groups?.language === 'ts' && groups.path === undefined)
    .map(({ index, groups }) => ({
      line: guide.slice(0, index).split('\n').length + 1,
      program: groups?.content ?? '',
    }));
}
