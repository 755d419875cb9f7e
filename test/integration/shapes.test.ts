import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { MetricsService } from '../../src/services/observability/metrics.service.js';
import { selectOperation } from '../../src/services/outcomes/outcomes.sql.js';
import { toOperation, type OperationRow } from '../../src/services/outcomes/to-operation.js';
import { MAX_SHAPES } from '../../src/entities/functions/register-shape.js';
import { RetentionService } from '../../src/services/retention/retention.service.js';
import { stringifyJson } from '../../src/services/values/exact-json.js';
import { parseJson } from '../../src/services/values/parse-json.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { testSettings } from '../support/test-settings.js';
import { checkedOperation, openWorker, type TestWorker } from '../support/worker.js';
import { drain, EMPTY_QUEUE, verdicts } from './support/queue-session.js';

const WIDE = 'ä"\\'.repeat(24_000);

/** The values of an insert into `thing` as a caller writes them, columns in the order of the table, and whether they are kept by column. */
const SENT: [values: string, byColumn: boolean][] = [
  ['{"id":1,"amount":12.50,"big":12345678901234567890.123456789}', true],
  ['{"id":2,"amount":-0.5,"big":"1e2"}', true],
  ['{"id":3,"amount":0,"big":1e2}', false],
  ['{"id":4,"amount":-0}', false],
  ['{"id":1e1}', false],
  ['{"id":6.0}', false],
  ['{"id":"7","amount":"12.50","name":null}', true],
  [String.raw`{"id":8,"name":"quotes \" and \\ and \n and  and é😀 and {\"a\":1}"}`, true],
  ['{"id":9,"doc":{"b":1,"1":2,"n":1.10,"e":1e2}}', true],
  ['{"id":10,"doc":{"a":1,"a":2},"docb":[1.0,{"x":null}]}', true],
  ['{"id":11,"doc":null,"docb":"text"}', true],
  ['{"id":12,"doc":17.0,"docb":true}', true],
  ['{"id":13,"tags":["a","b, c",null,"{}"]}', false],
  ['{"id":14,"tags":"{x,y}","flag":true}', true],
  ['{"id":15,"flag":"off","at":"2026-01-31T12:00:00+02:00"}', true],
  [String.raw`{"id":16,"bytes":"\\x00ff"}`, true],
  [JSON.stringify({ id: 17, name: WIDE, doc: { wide: WIDE } }), true],
];

describe('the shapes of operations', () => {
  let database: TestDatabase;
  let worker: TestWorker;

  beforeAll(async () => {
    database = await createTestDatabase();
    await database.client.query(`
      create table thing (id int primary key, amount numeric, big numeric, name text, doc json, docb jsonb, tags text[], flag boolean,
        at timestamptz, bytes bytea, unique (name, flag))`);
    worker = await openWorker(database);
  });
  afterEach(() => database.client.query(`truncate thing; ${EMPTY_QUEUE} delete from batch.delayed`));
  afterAll(async () => {
    await worker?.close();
    await database?.drop();
  });

  const insert = (values: string) =>
    checkedOperation(worker, {
      operationType: 'insert',
      target: 'thing',
      values: valuesOf(values),
    });
  const valuesOf = (values: string): unknown => (parseJson(`{"values":${values}}`) as { values: unknown }).values;
  async function shown(id: string): Promise<{ key?: string; values?: string }> {
    const { rows } = await worker.database.query<OperationRow>(selectOperation(id));
    const { key, values } = toOperation(rows[0]!);
    return { ...(key && { key: key.text }), ...(values && { values: values.text }) };
  }
  const count = async (table: string): Promise<number> =>
    (await database.client.query<{ n: number }>(`select count(*)::int as n from ${table}`)).rows[0]!.n;

  it.each(SENT)('show what was sent to the last digit: %s', async (values, byColumn) => {
    const operation = await insert(values);
    expect(operation.shape.byColumn).toBe(byColumn);
    await worker.queue.enqueue([operation]);
    expect(await shown(operation.id)).toEqual({ values });
    expect(await worker.queue.enqueue([operation])).toEqual([{ outcome: 'existing', status: 'pending' }]);
    await drain(database, worker);
    expect(await verdicts(database)).toEqual(['completed 1']);
    expect(await shown(operation.id)).toEqual({ values });
    const { rows } = await database.client.query<{ same: boolean }>(
      `select to_jsonb(t) = to_jsonb(r) as same
       from thing t, json_populate_record(null::thing, $1::json) r where t.id = r.id`,
      [values.replace('1e1}', '10}').replace('6.0}', '6}')],
    );
    expect(rows).toEqual([{ same: true }]);
  });

  it('are one for all orders of the columns, and show these in the order of the table', async () => {
    const one = await insert('{"id":1,"name":"a"}');
    const other = await insert('{"name":"b","id":2}');
    expect(other.shape).toEqual(one.shape);
    await worker.queue.enqueue([one, other]);
    expect(await shown(other.id)).toEqual({ values: '{"id":2,"name":"b"}' });
  });

  it('keep key and values apart where both have a column', async () => {
    const rename = await checkedOperation(worker, {
      ...{ operationType: 'update', target: 'thing', key: { flag: true, name: 'a' }, values: { flag: false, id: 5 } },
    });
    await worker.queue.enqueue([await insert('{"id":1,"name":"a","flag":true}'), rename]);
    expect(await shown(rename.id)).toEqual({ key: '{"name":"a","flag":true}', values: '{"id":5,"flag":false}' });
    await drain(database, worker);
    expect((await database.client.query('select id, name, flag from thing')).rows).toEqual([
      { id: 5, name: 'a', flag: false },
    ]);
  });

  it('know a request again whose numbers are written in another way, and none with other numbers', async () => {
    const first = await insert('{"id":1,"amount":100}');
    await worker.queue.enqueue([first]);
    const again = async (values: string) => ({ ...(await insert(values)), id: first.id });
    expect(await worker.queue.enqueue([await again('{"amount":1e2,"id":1.0}')])).toMatchObject([
      { outcome: 'existing' },
    ]);
    expect(await worker.queue.enqueue([await again('{"id":1,"amount":"100"}')])).toEqual([{ outcome: 'conflict' }]);
    expect(await worker.queue.enqueue([await again('{"id":1,"amount":101}')])).toEqual([{ outcome: 'conflict' }]);
  });

  it('are executed as the table is, when a column has changed its type since', async () => {
    await database.client.query('create table altered (id int primary key, a text, b json, c int)');
    const request = { operationType: 'insert', target: 'altered', values: { id: 1, a: '[1]', b: { x: 1 }, c: 7 } };
    await worker.queue.enqueue([await checkedOperation(worker, request)]);
    await database.client.query(`
      alter table altered alter a type json using a::json, alter b type text, alter c type text;
      alter table altered add column first int default 3`);
    await drain(database, worker);
    expect((await database.client.query('select * from altered')).rows).toEqual([
      { id: 1, a: '[1]', b: '{"x":1}', c: '7', first: 3 },
    ]);
  });

  it('are executed by name, when the table was made anew with its columns in another order', async () => {
    await database.client.query('create table remade (id int primary key, a text, b text)');
    const remade = (values: object) => checkedOperation(worker, { operationType: 'insert', target: 'remade', values });
    const before = await remade({ id: 1, a: 'a', b: 'b' });
    await worker.queue.enqueue([before]);
    await database.client.query('drop table remade; create table remade (b text, a text, id int primary key)');
    worker.catalog.invalidate();
    await worker.queue.enqueue([await remade({ id: 2, a: 'a', b: 'b' })]);
    await drain(database, worker);
    expect((await database.client.query('select * from remade order by id')).rows).toEqual([
      { id: 1, a: 'a', b: 'b' },
      { id: 2, a: 'a', b: 'b' },
    ]);
  });

  describe('when there are too many', () => {
    const fill = (shapes: number) =>
      database.client.query(
        `insert into batch.shapes (hash, type, target, documents, by_column, must_exist)
         select gen_random_uuid(), 'insert', 'filler', '{}', true, false from generate_series(1, $1::int)`,
        [shapes],
      );
    afterEach(() => database.client.query(`delete from batch.shapes where target = 'filler'`));

    it('rows are stored with the names of their columns, and everything else is the same', async () => {
      await fill(MAX_SHAPES);
      const before = await count('batch.shapes');
      const another = await openWorker(database);
      const operations = [
        await insert('{"id":1,"name":"a","amount":1}'),
        await insert('{"id":2,"flag":true,"amount":2.50}'),
        await insert('{"id":3,"bytes":"\\\\x00","amount":3}'),
        await checkedOperation(worker, {
          ...{ operationType: 'upsert', target: 'thing', conflictKey: ['name', 'flag'] },
          values: { id: 4, name: 'x', flag: true, amount: 4 },
        }),
      ];
      expect(await another.queue.enqueue(operations)).toMatchObject(operations.map(() => ({ outcome: 'created' })));
      expect(await another.queue.enqueue(operations)).toMatchObject(operations.map(() => ({ outcome: 'existing' })));
      // Without columns they have one shape.
      expect((await count('batch.shapes')) - before).toBeLessThanOrEqual(2);
      expect(stringifyJson(await shown(operations[1]!.id))).toContain('2.50');
      await drain(database, another);
      expect(await verdicts(database)).toEqual(Array(4).fill('completed 1'));
      await another.close();
    });

    it('retention deletes those that no operation has', async () => {
      const metrics = new MetricsService();
      const retention = new RetentionService(testSettings(), worker.database, metrics);
      const used = await insert('{"id":1}');
      await worker.queue.enqueue([used]);
      await fill(MAX_SHAPES / 4);
      await retention.poll();
      expect(await count(`batch.shapes where target = 'filler'`)).toBe(MAX_SHAPES / 4);
      await fill(MAX_SHAPES / 2);
      // It looks once an hour.
      await retention.poll();
      expect(await count(`batch.shapes where target = 'filler'`)).toBe((MAX_SHAPES * 3) / 4);
      await new RetentionService(testSettings(), worker.database, metrics).poll();
      expect(await count('batch.shapes')).toBe(1);
      await drain(database, worker);
      expect(await verdicts(database)).toEqual(['completed 1']);
    });

    it('retention leaves alone what is about to be used, and intake what is about to be deleted', async () => {
      await fill(MAX_SHAPES);
      const operation = await insert('{"id":1}');
      await worker.queue.enqueue([operation]);
      await database.client.query(EMPTY_QUEUE);
      const holder = await database.client.connect();
      try {
        // An insert that retention does not see yet.
        await holder.query('begin');
        await holder.query(`select from batch.shapes where target = 'public.thing' for key share`);
        await new RetentionService(testSettings(), worker.database, new MetricsService()).poll();
        expect(await count(`batch.shapes where target = 'public.thing'`)).toBeGreaterThan(0);
        await holder.query('rollback; begin');
        await holder.query(`delete from batch.shapes where target = 'public.thing'`);
        const stored = worker.queue.enqueue([operation]);
        await holder.query('commit');
        expect(await stored).toEqual([{ outcome: 'created', status: 'pending' }]);
      } finally {
        holder.release();
      }
      await drain(database, worker);
      expect(await verdicts(database)).toEqual(['completed 1']);
    });
  });
});
