import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { BATCH_ERROR_CODES } from '../../../src/batch/model/batch-error.js';

const docs = readFileSync(join(import.meta.dirname, '../../../docs/jobs.md'), 'utf8');

it('docs/jobs.md has every code of the engine once in its table, and no other', () => {
  const documented = [...docs.matchAll(/^\| `([A-Z_]+)` +\|/gm)].map(([, code]) => code);
  expect(documented.sort()).toEqual([...BATCH_ERROR_CODES].sort());
});
