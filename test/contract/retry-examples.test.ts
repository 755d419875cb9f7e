import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import type { IBatchOperation } from '../../src/interfaces/operation.js';
import { startTestApp } from '../support/app.js';
import { eventually } from '../support/eventually.js';

/** The first session of docs/retry.md: the SQL of its tables, the bodies that it posts, the path that it reads in the end. */
async function session(): Promise<{ sql: string; bodies: [string, string]; path: string }> {
  const text = await readFile(new URL('../../docs/retry.md', import.meta.url), 'utf8');
  const shell = /```sh\n(.*?)```/s.exec(text)?.[1] ?? '';
  const sql = /npm run --silent sql -- "(.*?)"\n/s.exec(shell)?.[1];
  const [order, customer] = [...shell.matchAll(/ -d '(.*?)'\n/gs)].map(([, body]) => body);
  const path = /'localhost:3000(\S+)'/.exec(shell)?.[1];
  if (!sql || !order || !customer || !path) throw new Error('docs/retry.md does not begin with a session');
  return { sql, bodies: [order, customer], path };
}

it('docs/retry.md begins with an order that waits for its customer, and lands', async () => {
  const { sql, bodies, path } = await session();
  const service = await startTestApp({ BATCH_SERVICE_RMQ_URL: '', BATCH_PROCESS_OPERATION_INTERVAL: '200' });
  const post = async (body: string): Promise<void> => {
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(`${service.url}/api/v1/operations`, { method: 'POST', headers, body });
    expect(response.status, await response.text()).toBe(201);
  };
  const read = async (from: string): Promise<IBatchOperation> =>
    (await (await fetch(`${service.url}${from}`)).json()) as IBatchOperation;
  try {
    await service.database.client.query(sql);
    // The catalog was read a moment before, at the start: until it is read again, there are no such tables.
    await eventually(() => post(bodies[0]));
    const [order = ''] = path.split('?');
    await eventually(async () => expect(await read(order)).toMatchObject({ status: 'scheduled', waitsFor: 'retry' }));
    await post(bodies[1]);
    expect(await read(path)).toMatchObject({ status: 'completed', rowsAffected: 1, attempts: 2 });
  } finally {
    await service.close();
  }
});
