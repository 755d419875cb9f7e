import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { IBatchOperation } from '../../src/interfaces/operation.js';
import { startTestApp, type TestApp } from '../support/app.js';

const BOOK = 'é'.repeat(400_000);
const SCHEMA = `
  create table notes (id text primary key, day date);
  create table guarded (id int primary key);
  create function refuse() returns trigger language plpgsql as $$
    begin
      raise exception '%', repeat('m', 100000) using detail = repeat('d', 100000), constraint = repeat('c', 100000);
    end $$;
  create trigger refuse before insert on guarded for each row execute function refuse()`;

let service: TestApp;
beforeAll(async () => {
  service = await startTestApp(
    { BATCH_SERVICE_RMQ_URL: '', BATCH_PROCESS_OPERATION_INTERVAL: '50' },
    { schema: SCHEMA },
  );
});
afterAll(() => service.close());

const post = (body: object): Promise<Response> =>
  fetch(`${service.url}/api/v1/operations`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });

async function settled(request: object): Promise<IBatchOperation> {
  const { id } = (await (await post(request)).json()) as { id: string };
  return (await (await fetch(`${service.url}/api/v1/operations/${id}?wait=10000`)).json()) as IBatchOperation;
}

/** What is kept, and how many characters are not. */
const CUT = /^[^]{2000}\.{3}\[\d+ more characters\]$/;

describe('an error that quotes a value of a megabyte', () => {
  it.each([
    ['ROW_NOT_FOUND', { operationType: 'delete', target: 'notes', key: { id: BOOK }, mustExist: true }],
    ['INVALID_VALUE', { operationType: 'insert', target: 'notes', values: { id: 'a', day: BOOK } }],
    ['REJECTED_BY_TRIGGER', { operationType: 'insert', target: 'guarded', values: { id: 1 } }],
  ])('is cut where its operation failed with %s', async (code, request) => {
    const { status, error } = await settled(request);
    expect(status).toBe('failed');
    expect(error?.code).toBe(code);
    expect(error?.message).toMatch(CUT);
    expect(error?.constraint ?? 'short').toMatch(/^[^]{5,2000}(?:\.{3}\[\d+ more characters\])?$/);
  });

  it('is cut where its operation is refused', async () => {
    const response = await post({ operationType: 'insert', target: 'notes', values: { [BOOK]: 1 } });
    expect(response.status).toBe(422);
    const text = await response.text();
    expect(JSON.parse(text)).toMatchObject({ code: 'UNKNOWN_COLUMN' });
    expect(text.length).toBeLessThan(5000);
  });
});
