import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build, type Plugin } from 'esbuild';
import { planOperations } from '../../src/services/planner/plan-operations.js';
import type { Rule } from '../../src/services/planner/rules.js';

export type Planner = typeof planOperations;

/** What a plan follows exactly: the constants of `row-history.ts`, which are for chunks of thousands of operations. */
export interface PlanLimits {
  valuesFollowed: number;
  rowsFollowed: number;
  leastFollowed: number;
}

export interface Alteration {
  /** Rules that the planner lacks. */
  without?: readonly Rule[];
  limits?: Partial<PlanLimits>;
}

/** A text that occurs once in a file of the planner, and what takes its place. */
export interface Replacement {
  file: string;
  text: string;
  by: string;
}

const PLANNER = resolve(import.meta.dirname, '../../src/services/planner');

/** The planner knows nothing of this: each of its rules is cut out of the text of its files. */
const WITHOUT: Record<Rule, readonly Replacement[]> = {
  'same row': [
    ...unneeded('same row'),
    before('plan-operations.ts', 'const group = this.groups[latest.group]!;', 'return undefined;'),
  ],
  'unique value': unneeded('unique value'),
  'freed value': unneeded('freed value'),
  'missing parent': unneeded('missing parent'),
  'released parent': unneeded('released parent'),
  'drawn value': unneeded('drawn value'),
  'sequence order': unneeded('sequence order'),
  cascade: unneeded('cascade'),
  barrier: unneeded('barrier'),
  'old values': [
    {
      file: 'row-history.ts',
      text: 'for (const [index, column] of columns.entries()) this.add(row, column, values[index]!);',
      by: '',
    },
  ],
  'planning limit': [
    {
      file: 'row-history.ts',
      text: '!values.has(text)) return [UNKNOWN];',
      by: '!values.has(text)) return [...values.values()];',
    },
    { file: 'row-history.ts', text: 'this.exceedsLimits = true;\n      this.reliable = false;', by: '' },
  ],
  equality: [before('chunk-view.ts', 'const rank = this.readSet.ranks', 'return `${family}#${text}`;')],
  'fold: unconstrained columns': [
    { file: 'fold-operations.ts', text: "column.constraintFreedom === 'unconstrained'", by: 'true' },
    { file: 'fold-operations.ts', text: "column.constraintFreedom === 'constrained'", by: 'false' },
  ],
  'fold: same sign': [{ file: 'fold-operations.ts', text: 'if (oppose(one, other))', by: 'if (false)' }],
  'fold: exact types': [{ file: 'fold-operations.ts', text: 'isExact(decimal, column)', by: 'true' }],
  'fold: valid values': [
    { file: 'fold-operations.ts', text: 'isLegal(givenValue(earlier, column.name) ?? null, column)', by: 'true' },
  ],
};

const LIMITS: Record<keyof PlanLimits, string> = {
  valuesFollowed: 'const VALUES_FOLLOWED = ',
  rowsFollowed: 'const ROWS_FOLLOWED = ',
  leastFollowed: 'const LEAST_FOLLOWED = ',
};

const made = new Map<string, Promise<Planner>>();

/** The service's planner, or one that lacks rules or has other limits. */
export function alteredPlanner({ without = [], limits = {} }: Alteration): Promise<Planner> {
  const replacements = [
    ...without.flatMap((rule) => WITHOUT[rule]),
    ...Object.entries(limits).map(([name, limit]): Replacement => {
      const text = LIMITS[name as keyof PlanLimits];
      return { file: 'row-history.ts', text, by: `${text}${limit}; //` };
    }),
  ];
  if (replacements.length === 0) return Promise.resolve(planOperations);
  const key = JSON.stringify(replacements);
  const known = made.get(key) ?? plannerWith(replacements);
  made.set(key, known);
  return known;
}

/**
 * Loads the planner with other texts. It shares every module outside its folder with the service, so both know the same
 * classes.
 *
 * @throws when a text is not found exactly once: a mutant that changes nothing would show nothing
 */
export async function plannerWith(replacements: readonly Replacement[]): Promise<Planner> {
  const { outputFiles } = await build({
    entryPoints: [join(PLANNER, 'plan-operations.ts')],
    bundle: true,
    format: 'esm',
    platform: 'node',
    write: false,
    logLevel: 'silent',
    plugins: [replacing(replacements)],
  });
  const folder = await mkdtemp(join(tmpdir(), 'planner-'));
  try {
    const file = join(folder, 'planner.js');
    await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
    await writeFile(file, outputFiles[0]!.text);
    const module = (await import(pathToFileURL(file).href)) as { planOperations: Planner };
    return module.planOperations;
  } finally {
    await rm(folder, { recursive: true });
  }
}

function replacing(replacements: readonly Replacement[]): Plugin {
  return {
    name: 'replacing',
    setup: ({ onResolve, onLoad, onEnd }) => {
      const left = new Set(replacements);
      onResolve({ filter: /^\.\.\// }, ({ path, resolveDir }) => ({
        path: pathToFileURL(resolve(resolveDir, path.replace(/\.js$/, '.ts'))).href,
        external: true,
      }));
      onLoad({ filter: /\.ts$/ }, async ({ path }) => {
        let contents = await readFile(path, 'utf8');
        for (const each of replacements) {
          if (each.file !== basename(path)) continue;
          if (contents.split(each.text).length !== 2) throw new Error(`${each.file} does not have once: ${each.text}`);
          contents = contents.replace(each.text, () => each.by);
          left.delete(each);
        }
        return { contents, loader: 'ts' };
      });
      onEnd(({ errors }) => {
        if (errors.length === 0 && left.size > 0) {
          throw new Error(`Not among the planner's files: ${[...left].map(({ file }) => file).join(', ')}`);
        }
      });
    },
  };
}

/** No operation comes after another because of this rule. */
function unneeded(rule: Rule): Replacement[] {
  const skip = `if (rule === ${JSON.stringify(rule)}) return;`;
  return [
    before('conflict-keys.ts', 'const lowest = key.group + 1;', skip),
    before('conflict-keys.ts', 'if (key.group >= this.lowest) this.raise', skip),
    before('conflict-keys.ts', 'if (key.group <= this.lowestBesideRow) return;', skip),
  ];
}

/** Keeps the text, so that several rules can be cut out at the same place. */
function before(file: string, text: string, inserted: string): Replacement {
  return { file, text, by: `${inserted} ${text}` };
}
