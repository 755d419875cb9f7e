import { seededRandom } from '../../test/support/random.js';
import type { Reading, Stage, Study, StudyResult } from '../contest/contest.js';
import { figure } from '../report/format.js';
import { items } from '../rows/items.js';
import { shuffled } from '../rows/shuffled.js';
import {
  CLEAN,
  CLEAN_BY_COPY,
  COPY,
  DIRECT,
  ENGINE_RSS,
  ONE_IN_HUNDRED,
  ONE_IN_THOUSAND,
} from './engine-reading-names.js';
import { writeImportFiles, type ImportFiles } from './import-files.js';
import { makeImportTable } from './import-table.js';
import { importByCopy, importByEngine, importDirectly, type Imported } from './imports.js';

const ROWS = 1_000_000;
/** Shows that the procedure works. Its readings have other names, so that no target is judged by them. */
const QUICK_ROWS = 20_000;

interface Contestant {
  name: string;
  /** Ids of the rows that are refused. */
  bad: readonly number[];
  run: () => Promise<Imported>;
}

/** Each import is long enough to warm up by itself, and each of the engine has a new process. So there are no warm-ups. */
export const engineStudy: Study = {
  kind: 'study',
  name: 'engine',
  title: 'The batch engine imports a CSV file of a million rows, clean and with bad rows, in chunks of 1000',
  quickLacks: `more than ${figure(QUICK_ROWS)} rows`,
  async run(stage): Promise<StudyResult> {
    const rows = items(stage.scale.quick ? QUICK_ROWS : ROWS);
    const table = await makeImportTable(stage.admin, rows);
    const files = await writeImportFiles(rows);
    try {
      const contestants = contestantsOf(stage, rows, files);
      const imported = new Map(contestants.map(({ name }): [string, Imported[]] => [name, []]));
      for (let repetition = 1; repetition <= stage.scale.repetitions; repetition += 1) {
        for (const { name, bad, run } of shuffled(contestants, seededRandom(repetition))) {
          await table.prepare();
          const one = await run();
          await table.verify(bad);
          imported.get(name)!.push(one);
          stage.log(
            `engine ${repetition}/${stage.scale.repetitions}, ${name}: ${figure(rows.length / one.seconds)} rows/s`,
          );
        }
      }
      return { readings: readingsOf(imported, rows.length, stage.scale.quick) };
    } finally {
      await files.remove();
    }
  },
};

function contestantsOf(stage: Stage, rows: ReturnType<typeof items>, files: ImportFiles): Contestant[] {
  const { clean, oneInThousand, oneInHundred } = files;
  return [
    { name: DIRECT, bad: [], run: () => importDirectly(stage, rows) },
    { name: COPY, bad: [], run: () => importByCopy(stage, clean) },
    { name: CLEAN, bad: [], run: () => importByEngine(stage, clean) },
    { name: CLEAN_BY_COPY, bad: [], run: () => importByEngine(stage, clean, 'copy') },
    { name: ONE_IN_THOUSAND, bad: oneInThousand.bad, run: () => importByEngine(stage, oneInThousand) },
    { name: ONE_IN_HUNDRED, bad: oneInHundred.bad, run: () => importByEngine(stage, oneInHundred) },
  ];
}

function readingsOf(imported: ReadonlyMap<string, readonly Imported[]>, rows: number, quick: boolean): Reading[] {
  const suffix = quick ? `, ${figure(rows)} rows` : '';
  const rates = (name: string): number[] => imported.get(name)!.map(({ seconds }) => rows / seconds);
  const ratio = (name: string, control: string): Reading => {
    const by = rates(control);
    return { name: `${name} / ${control}${suffix}`, unit: 'x', values: rates(name).map((rate, at) => rate / by[at]!) };
  };
  const memory = [...imported.values()].flat().flatMap(({ rssMb }) => rssMb ?? []);
  return [
    ...[...imported.keys()].map((name) => ({ name: `${name}${suffix}`, unit: 'rows/s', values: rates(name) })),
    ratio(CLEAN, DIRECT),
    ratio(CLEAN, COPY),
    ratio(CLEAN_BY_COPY, CLEAN),
    ratio(ONE_IN_THOUSAND, CLEAN),
    ratio(ONE_IN_HUNDRED, CLEAN),
    { name: `${ENGINE_RSS}${suffix}`, unit: 'MB', values: memory },
  ];
}
