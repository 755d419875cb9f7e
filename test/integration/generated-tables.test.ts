import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { renderTemplate } from '../../scripts/gen-worker/render.mjs';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

let database: TestDatabase;
let folder: string;
beforeAll(async () => {
  database = await createTestDatabase({ migrated: false });
  folder = await mkdtemp(join(tmpdir(), 'batch-generated-tables-'));
});
afterAll(async () => {
  await database.drop();
  await rm(folder, { recursive: true, force: true });
});

/** What a generated worker does with its tables. That it does so: `test/programs/gen-worker.test.ts`. */
async function statementsOf(name: string): Promise<string[]> {
  await renderTemplate(name, join(folder, name));
  const text = await readFile(join(folder, name, 'src', `${name}.tables.ts`), 'utf8');
  return [...text.matchAll(/`([^`]+)`/g)]
    .map(([, sql]) => sql!)
    .filter((sql) => /^\s*(create|insert|select)/.test(sql));
}

it.each(['payment', 'order', 'user', 'table', 'end'])(
  'a worker may have the name %s, whatever it means in SQL',
  async (name) => {
    const [create, lock, insert, ...others] = await statementsOf(name);
    expect(others).toEqual([]);
    await database.client.query(lock!);
    await database.client.query(create!);
    const { rowCount } = await database.client.query(insert!, ['17', 'a text']);
    expect(rowCount).toBe(1);
  },
);
