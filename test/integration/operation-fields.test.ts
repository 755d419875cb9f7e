import { v7 as uuid } from 'uuid';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OPERATION_FIELDS, type FieldSchema, type OperationField } from '../../src/interfaces/operation-fields.js';
import { OPERATION_TYPES, type OperationType } from '../../src/interfaces/operation.js';
import { startTestApp, type TestApp } from '../support/app.js';

type Request = Readonly<Record<string, unknown>>;

const FIELDS: readonly [string, OperationField][] = Object.entries(OPERATION_FIELDS);

/** Rows of the table that the test makes, and a time that has not come. The rest are the examples of the declaration. */
const OWN: Readonly<Record<string, unknown>> = { runAt: '2031-01-31T12:00:00.000Z', conflictKey: ['customer_id'] };

function exampleOf(field: string, schema: FieldSchema): unknown {
  if (field in OWN) return OWN[field];
  if (schema.properties === undefined) return schema.example;
  return Object.fromEntries(Object.entries(schema.properties).map(([name, inner]) => [name, exampleOf(name, inner)]));
}

/** A request with every field that has a meaning for this kind of operation. */
const requestOf = (type: OperationType): Request => ({
  ...Object.fromEntries(
    FIELDS.filter(([, { types }]) => types.includes(type)).map(([field, { schema }]) => [
      field,
      exampleOf(field, schema),
    ]),
  ),
  ...{ id: uuid(), operationType: type, target: 'public.orders' },
  ...(type === 'increment' && { values: { total: 5 } }),
});

describe('every field of an operation', () => {
  let service: TestApp;
  beforeAll(async () => {
    service = await startTestApp(
      { BATCH_SERVICE_RMQ_URL: '' },
      {
        schema: `create table orders (id int primary key, customer_id int unique, total numeric(10, 2));
          create table orders2 (like orders including all)`,
      },
    );
  });
  afterAll(() => service?.close());

  const post = (body: object): Promise<Response> =>
    fetch(`${service.url}/api/v1/operations`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  const read = async (id: unknown): Promise<Request> =>
    (await (await fetch(`${service.url}/api/v1/operations/${String(id)}`)).json()) as Request;
  const inSql = async (request: Request): Promise<unknown> =>
    (
      await service.database.client.query(`select (batch.create_operation($1)->'created')::bool as created`, [
        JSON.stringify(request),
      ])
    ).rows[0];
  /** What the role of the test may say: its source is its name. */
  const ofRole = (request: Request): Request => ({ ...request, source: service.database.connection.username });

  it.each(OPERATION_TYPES)('of %s comes back as it was sent, over REST', async (type) => {
    const request = requestOf(type);
    expect((await post(request)).status).toBe(201);
    expect(await read(request.id)).toMatchObject(request);
  });

  it.each(OPERATION_TYPES)('of %s comes back as it was sent, in SQL', async (type) => {
    const request = ofRole(requestOf(type));
    expect(await inSql(request)).toEqual({ created: true });
    expect(await read(request.id)).toMatchObject(request);
  });

  it.each(FIELDS.filter(([field]) => field !== 'id'))(
    '%s makes another operation of the same id',
    async (field, { types }) => {
      const request = ofRole(requestOf(types[0]!));
      expect((await post(request)).status).toBe(201);
      expect((await post(request)).status).toBe(200);
      expect(await inSql(request)).toEqual({ created: false });
      const without: Request = Object.fromEntries(Object.entries(request).filter(([name]) => name !== field));
      const other = {
        operationType: { ...without, operationType: 'upsert', onConflict: undefined },
        target: { ...without, target: 'orders2' },
        key: { ...without, key: { id: 4712 } },
        values: { ...without, values: { id: 4712 } },
      };
      const changed: Request = field in other ? other[field as keyof typeof other] : without;
      expect(await (await post(changed)).json()).toMatchObject({ code: 'IDEMPOTENCY_CONFLICT' });
      if (field !== 'source')
        await expect(inSql(changed)).rejects.toMatchObject({
          message: expect.stringContaining('another body') as string,
        });
    },
  );
});
