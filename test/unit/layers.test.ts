import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

interface Violation {
  from: string;
  to: string;
  rule: { name: string };
}

/** What must not be imported, by the rule that says so: the importing file and what it imports. */
const FORBIDDEN: [rule: string, from: string, specifier: string][] = [
  ['layer-interfaces', 'src/interfaces/a.ts', '../services/queue/b.js'],
  ['layer-entities', 'src/entities/a.ts', '../services/queue/b.js'],
  ['layer-batch', 'src/batch/a.ts', '../services/queue/b.js'],
  ['layer-client', 'src/client/a.ts', '../services/queue/b.js'],
  ['layer-parts', 'src/parts/a.ts', '../services/queue/b.js'],
  ['layer-parts', 'src/parts/to-batch.ts', '../batch/b.js'],
  ['layer-worker', 'src/worker/a.ts', '../services/queue/b.js'],
  ['layer-worker', 'src/worker/to-batch.ts', '../batch/index.js'],
  ['layer-services', 'src/services/queue/to-controllers.ts', '../../controllers/b.js'],
  ['layer-services', 'src/services/queue/to-jobs.ts', '../../jobs/b.js'],
  ['layer-jobs', 'src/jobs/a.ts', '../controllers/b.js'],
  ['layer-controllers', 'src/controllers/a.ts', '../client/b.js'],
  ['layer-ui', 'ui/src/a.ts', '../../src/services/queue/b.js'],
  ['layer-demo', 'demo/a.ts', '../src/services/queue/b.js'],
  ['layer-demo', 'demo/to-client-part.ts', '../src/client/b.js'],
  ['layer-examples', 'examples/one/src/a.ts', '../../../src/services/queue/b.js'],
  ['layer-examples', 'examples/one/src/to-other.ts', '../../two/src/b.js'],
  ['layer-examples', 'examples/one/test/a.test.ts', '../../../src/services/queue/b.js'],
  ['examples-need-no-tests', 'examples/one/src/to-support.ts', '../../../test/support/b.js'],
  ['examples-need-no-tests', 'examples/one/main.ts', './test/b.js'],
  ['roots-are-not-imported', 'src/services/queue/to-root.ts', '../../app.module.js'],
  ['interfaces-import-no-package', 'src/interfaces/to-package.ts', 'uuid'],
  ['pure-does-no-io', 'src/services/planner/to-driver.ts', 'pg'],
  ['pure-does-no-io', 'src/services/planner/to-framework.ts', '@nestjs/common'],
  ['pure-does-no-io', 'src/services/composer/to-orm.ts', 'typeorm'],
  ['pure-does-no-io', 'src/batch/composer/to-files.ts', 'node:fs/promises'],
  ['pure-does-no-io', 'src/services/planner/to-service.ts', '../queue/queue.service.js'],
  ['no-cycle', 'src/services/intake/a.ts', './b.js'],
  ['no-barrel', 'src/services/queue/to-barrel.ts', '../intake/index.js'],
  ['test-kit-is-for-tests', 'src/batch/to-testing.ts', './testing/index.js'],
  ['src-does-not-import-programs', 'src/services/queue/to-test.ts', '../../../test/support/b.js'],
  ['src-does-not-import-programs', 'src/services/queue/to-demo.ts', '../../../demo/main.js'],
  ['no-dev-dependency-in-src', 'src/services/queue/to-dev.ts', 'fast-check'],
  ['no-unlisted-package', 'src/services/queue/to-unlisted.ts', 'acorn'],
  ['no-unresolvable', 'src/services/queue/to-nowhere.ts', './nowhere.js'],
];

/** What may be imported. */
const ALLOWED: [from: string, specifier: string][] = [
  ['src/controllers/ok.ts', '../jobs/b.js'],
  ['src/jobs/ok.ts', '../services/queue/b.js'],
  ['src/services/queue/ok.ts', '../../entities/b.js'],
  ['src/services/queue/ok-batch.ts', '../../batch/index.js'],
  ['src/services/queue/ok-parts.ts', '../../parts/b.js'],
  ['src/parts/ok.ts', '../interfaces/b.js'],
  ['src/batch/ok.ts', '../interfaces/b.js'],
  ['src/batch/testing/ok.ts', '../index.js'],
  ['src/client/ok.ts', '../interfaces/b.js'],
  ['src/worker/ok.ts', '../interfaces/b.js'],
  ['src/worker/ok-parts.ts', '../parts/b.js'],
  ['ui/src/ok.ts', '../../src/interfaces/b.js'],
  ['demo/ok.ts', '../src/services/database/embedded-postgres.js'],
  ['src/services/planner/ok.ts', '../catalog/table.js'],
  ['src/services/queue/ok-driver.ts', 'pg'],
  ['examples/one/src/ok.ts', '../../../src/client/index.js'],
  ['examples/one/src/ok-own.ts', './b.js'],
  ['examples/one/test/ok.test.ts', '../../../test/support/b.js'],
];

const OTHER_FILES = [
  'src/interfaces/b.ts',
  'src/entities/b.ts',
  'src/batch/index.ts',
  'src/batch/testing/index.ts',
  'src/client/b.ts',
  'src/parts/b.ts',
  'src/batch/b.ts',
  'src/client/index.ts',
  'src/controllers/b.ts',
  'src/jobs/b.ts',
  'src/services/queue/b.ts',
  'src/services/queue/queue.service.ts',
  'src/services/intake/index.ts',
  'src/services/catalog/table.ts',
  'src/services/database/embedded-postgres.ts',
  'src/app.module.ts',
  'test/support/b.ts',
  'demo/main.ts',
  'examples/one/src/b.ts',
  'examples/one/test/b.ts',
  'examples/two/src/b.ts',
];

describe('the layer rules', () => {
  const project = resolve(import.meta.dirname, '../..');
  let fixture: string;
  let violations: Violation[];

  beforeAll(async () => {
    // Inside the project, so that packages resolve; in a folder that no other tool looks at.
    await mkdir(join(project, '.data'), { recursive: true });
    fixture = await mkdtemp(join(project, '.data/layers-'));
    const imports = [...FORBIDDEN.map(([, from, specifier]) => [from, specifier] as const), ...ALLOWED];
    for (const [from, specifier] of imports) await write(from, `import '${specifier}';\n`);
    // A cycle that exists in types only.
    await write('src/services/intake/a.ts', `import type { B } from './b.js';\nexport type A = B;\n`);
    await write('src/services/intake/b.ts', `import type { A } from './a.js';\nexport type B = A | 1;\n`);
    for (const file of OTHER_FILES) await write(file, 'export {};\n');
    await write('tsconfig.json', '{ "compilerOptions": { "module": "NodeNext" } }');
    await write('package.json', await readFile(join(project, 'package.json'), 'utf8'));
    violations = await cruise();
  });
  afterAll(() => rm(fixture, { recursive: true }));

  it.each(FORBIDDEN)('%s: %s may not import %s', (rule, from) => {
    expect(violations.filter((violation) => violation.from === from).map(({ rule: { name } }) => name)).toContain(rule);
  });

  it.each(ALLOWED)('%s may import %s', (from) => {
    expect(violations.filter((violation) => violation.from === from)).toEqual([]);
  });

  it('are each shown to fire', () => {
    const { forbidden } = createRequire(import.meta.url)(join(project, '.dependency-cruiser.cjs')) as {
      forbidden: { name: string }[];
    };
    expect(new Set(FORBIDDEN.map(([rule]) => rule))).toEqual(new Set(forbidden.map(({ name }) => name)));
  });

  async function write(file: string, text: string): Promise<void> {
    await mkdir(dirname(join(fixture, file)), { recursive: true });
    await writeFile(join(fixture, file), text);
  }

  async function cruise(): Promise<Violation[]> {
    const program = join(project, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs');
    const config = join(project, '.dependency-cruiser.cjs');
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [program, '--config', config, '--output-type', 'json', 'src', 'ui', 'demo', 'examples'],
      { cwd: fixture, maxBuffer: 64 * 1024 * 1024 },
    ).catch((error: { stdout: string }) => error);
    return (JSON.parse(stdout) as { summary: { violations: Violation[] } }).summary.violations;
  }
});
