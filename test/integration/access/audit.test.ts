import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { IAuditEntry } from '../../../src/interfaces/audit.js';
import type { IBatchOperation, IPage } from '../../../src/interfaces/operation.js';
import { parseApiKey } from '../../../src/services/access/api-key.js';
import { userOf } from '../../../src/services/rabbitmq/sender-of.js';
import { connectAmqpCaller, type AmqpCaller } from '../../support/amqp.js';
import { createTestKey, KEYS_REQUIRED } from '../../support/api-keys.js';
import { startTestApp, type TestApp } from '../../support/app.js';
import { uniqueName } from '../../support/unique-name.js';
import type pg from 'pg';

const LATER = '2030-01-01T00:00:00Z';

let service: TestApp;
let client: pg.Pool;
let amqp: AmqpCaller;
let admin: string;
let writer: string;

beforeAll(async () => {
  // Nobody executes: what is pending stays pending.
  service = await startTestApp(
    { ...KEYS_REQUIRED, BATCH_ROLE: 'api' },
    { schema: 'create table notes (id int primary key)' },
  );
  ({ client } = service.database);
  admin = await createTestKey(client, ['admin']);
  writer = await createTestKey(client, ['write', 'read']);
  const { url, queue } = service.settings.rabbitmq!;
  amqp = await connectAmqpCaller(url, queue);
});
afterAll(async () => {
  await amqp?.close();
  await service?.close();
});

const by = (key: string): string => `key:${parseApiKey(key)!.id}`;

async function ask<T>(key: string, method: string, path: string, body?: object): Promise<{ status: number; body: T }> {
  const response = await fetch(`${service.url}/api/v1/${path}`, {
    method,
    headers: { authorization: `Bearer ${key}`, ...(method === 'POST' && { 'content-type': 'application/json' }) },
    ...(method === 'POST' && { body: JSON.stringify(body ?? {}) }),
  });
  return { status: response.status, body: (await response.json()) as T };
}

let next = 0;
async function create(more: object = {}): Promise<string> {
  const request = { operationType: 'insert', target: 'notes', values: { id: (next += 1) }, ...more };
  return (await ask<{ id: string }>(writer, 'POST', 'operations', request)).body.id;
}

const actsOn = async (id: string): Promise<[string, string | undefined][]> =>
  ((await ask<IBatchOperation>(writer, 'GET', `operations/${id}`)).body.audit ?? []).map((each) => [each.act, each.by]);
const stored = async (kind: string, id: string): Promise<object[]> =>
  (
    await client.query<object>(
      'select act, actor, details from batch.audit where subject_kind = $1 and subject = $2 order by id',
      [kind, id],
    )
  ).rows;

describe('what is done to an operation', () => {
  it.each([
    ['pending', {}],
    ['scheduled', { runAt: LATER }],
  ])('that is %s is kept with who did it and when, and told with the operation', async (_, more) => {
    const id = await create(more);
    expect(await actsOn(id)).toEqual([]);
    const cancelled = await ask<IBatchOperation>(writer, 'DELETE', `operations/${id}`);
    expect(cancelled.body).toMatchObject({ createdBy: by(writer), audit: [{ act: 'cancel', by: by(writer) }] });
    expect(Math.abs(Date.parse(cancelled.body.audit![0]!.at) - Date.now())).toBeLessThan(60_000);
    await ask(admin, 'POST', `operations/${id}/retries`);
    expect(await actsOn(id)).toEqual([
      ['cancel', by(writer)],
      ['retry', by(admin)],
    ]);
  });

  it('is not kept when it was refused', async () => {
    const id = await create();
    expect(await ask(writer, 'POST', `operations/${id}/retries`)).toMatchObject({ status: 409 });
    await ask(writer, 'DELETE', `operations/${id}`);
    expect(await ask(writer, 'DELETE', `operations/${id}`)).toMatchObject({ status: 409 });
    expect(await actsOn(id)).toEqual([['cancel', by(writer)]]);
  });

  it('is kept once, with its caller, when several cancel at once', async () => {
    const ids = await Promise.all(Array.from({ length: 20 }, () => create()));
    const tries = ids.flatMap((id) => [writer, admin].map((key) => ask(key, 'DELETE', `operations/${id}`)));
    const answers = await Promise.all(tries);
    for (const [index, id] of ids.entries()) {
      const won = [writer, admin].filter((_, at) => answers[2 * index + at]!.status === 200).map(by);
      expect((await actsOn(id)).map(([, actor]) => actor)).toEqual(won);
    }
  });

  it('over RabbitMQ is kept with the user of the broker, or with nobody', async () => {
    const [known, nameless] = [await create(), await create()];
    const userId = userOf(service.settings.rabbitmq!.url);
    await amqp.call('cancel_operation', { id: known }, { userId });
    await amqp.call('cancel_operation', { id: nameless });
    expect(await actsOn(known)).toEqual([['cancel', `user:${userId}`]]);
    expect(await actsOn(nameless)).toEqual([['cancel', undefined]]);
  });

  it('is not shown in a list', async () => {
    await ask(writer, 'DELETE', `operations/${await create()}`);
    const { body } = await ask<IPage<IBatchOperation>>(writer, 'GET', 'operations?status=cancelled');
    expect(body.items.length).toBeGreaterThan(0);
    for (const item of body.items) expect(item).not.toHaveProperty('audit');
  });
});

describe('what else is done by hand', () => {
  it('is kept: a lane is resumed', async () => {
    const id = await create();
    await client.query(
      `insert into batch.lane_blocks (lane, seq, failures, kind, message, worker, next_try_at, parked_at)
       select lane, seq, 3, 'unknown', 'test', 'test', now(), now() from batch.operations where id = $1`,
      [id],
    );
    const [fault] = (await ask<{ lane: number }[]>(admin, 'GET', 'lanes')).body;
    expect(await ask(admin, 'POST', `lanes/${fault!.lane}/resumes`)).toMatchObject({ status: 200 });
    expect(await stored('lane', String(fault!.lane))).toEqual([{ act: 'resume', actor: by(admin), details: {} }]);
    expect(await ask(admin, 'POST', 'lanes/63/resumes')).toMatchObject({ status: 404 });
    expect(await stored('lane', '63')).toEqual([]);
  });

  it('is kept: the notifications of a chunk are sent again', async () => {
    const { rows } = await client.query<{ id: string }>(
      `insert into batch.chunks (worker, operations, completed, failed, deferred, groups, statements, fallback, started_at,
         settled_at, duration_ms, notify, seqs, notified_at)
       values ('test', 0, 0, 0, 0, 0, 0, false, now(), now(), 1, true, '{}', now()) returning id`,
    );
    const { id } = rows[0]!;
    expect(await ask(admin, 'POST', `chunks/${id}/notifications`)).toMatchObject({ status: 202 });
    expect(await stored('chunk', id)).toEqual([{ act: 'notify', actor: by(admin), details: {} }]);
    await ask(admin, 'POST', 'chunks/999999/notifications');
    expect(await stored('chunk', '999999')).toEqual([]);
  });

  it('is kept: parked notifications are given up', async () => {
    await client.query(
      `insert into batch.parked_notifications (chunk_id, source, failures, reason, parked_at, next_try_at)
       values (7001, 'shop', 1, 'too large', now(), now())`,
    );
    expect(await ask(admin, 'DELETE', 'notifications/7001')).toMatchObject({ status: 200 });
    const details = { sources: ['shop'] };
    expect(await stored('chunk', '7001')).toEqual([{ act: 'skip', actor: by(admin), details }]);
    expect(await ask(admin, 'DELETE', 'notifications/7001')).toMatchObject({ status: 404 });
    expect(await stored('chunk', '7001')).toHaveLength(1);
  });

  it('is kept: keys are made and revoked, without their secrets', async () => {
    const key = await createTestKey(client, ['read'], { state: 'revoked', sources: ['shop'] });
    const { id, secret } = parseApiKey(key)!;
    const acts = await stored('key', id);
    expect(acts).toMatchObject([
      { act: 'create_key', actor: 'command:test', details: { scopes: ['read'], sources: ['shop'] } },
      { act: 'revoke_key', actor: 'command:test' },
    ]);
    expect(JSON.stringify(acts)).not.toContain(secret);
  });
});

describe('the audit as a whole', () => {
  const list = async (query = ''): Promise<IPage<IAuditEntry>> =>
    (await ask<IPage<IAuditEntry>>(admin, 'GET', `audit${query}`)).body;

  it('is listed newest first, by page, for callers with the scope admin only', async () => {
    const all = (await list('?limit=1000')).items;
    expect(all.length).toBeGreaterThan(10);
    const walked: IAuditEntry[] = [];
    for (let cursor: string | undefined = ''; cursor !== undefined;) {
      const page: IPage<IAuditEntry> = await list(`?limit=7${cursor && `&cursor=${cursor}`}`);
      walked.push(...page.items);
      cursor = page.nextCursor;
    }
    expect(walked).toEqual(all);
    expect(all.map(({ id }) => Number(id))).toEqual(all.map(({ id }) => Number(id)).toSorted((a, b) => b - a));
    expect(await ask(writer, 'GET', 'audit')).toMatchObject({ status: 403, body: { code: 'SCOPE_REQUIRED' } });
  });

  it('is found by act, caller and subject', async () => {
    const id = await create();
    await ask(writer, 'DELETE', `operations/${id}`);
    const expected = { act: 'cancel', by: by(writer), subject: { kind: 'operation', id }, details: {} };
    expect((await list(`?subject=operation&id=${id}`)).items).toMatchObject([expected]);
    expect((await list(`?act=cancel&by=${by(writer)}&limit=1`)).items).toMatchObject([expected]);
    expect((await list(`?act=retry&id=${id}`)).items).toEqual([]);
    expect(await ask(admin, 'GET', 'audit?act=nothing')).toMatchObject({ status: 400 });
  });
});

describe('the table of the audit', () => {
  afterEach(() => client.query('drop trigger if exists refused on batch.audit'));

  it.each(['update batch.audit set actor = null', 'delete from batch.audit', 'truncate batch.audit'])(
    'refuses, even to a superuser: %s',
    async (statement) => {
      await expect(client.query(statement)).rejects.toThrow(/batch\.audit only grows/);
      const connection = await client.connect();
      try {
        await connection.query('set session_replication_role = replica');
        await expect(connection.query(statement)).rejects.toThrow(/batch\.audit only grows/);
      } finally {
        connection.release(true);
      }
    },
  );

  it('is written in the transaction of the act: where it cannot be, nothing is done', async () => {
    const [pending, scheduled, failed] = [await create(), await create({ runAt: LATER }), await create()];
    await ask(writer, 'DELETE', `operations/${failed}`);
    await client.query(`
      create or replace function refuse() returns trigger language plpgsql as $$ begin raise 'no audit'; end $$;
      create trigger refused before insert on batch.audit execute function refuse()`);
    for (const [method, path] of [
      ['DELETE', pending],
      ['DELETE', scheduled],
      ['POST', `${failed}/retries`],
    ] as const) {
      expect((await ask(writer, method, `operations/${path}`)).status).toBeGreaterThanOrEqual(500);
    }
    await expect(createTestKey(client, ['read'])).rejects.toThrow('no audit');
    await client.query('drop trigger refused on batch.audit');
    for (const [id, status] of [
      [pending, 'pending'],
      [scheduled, 'scheduled'],
      [failed, 'cancelled'],
    ] as const) {
      expect((await ask<IBatchOperation>(writer, 'GET', `operations/${id}`)).body.status).toBe(status);
    }
  });

  it('is enough for a role that may read and insert, which can do nothing else to it', async () => {
    const role = uniqueName('role');
    await client.query(`create role ${role}; grant usage on schema batch to ${role};
      grant select, insert on batch.audit to ${role}`);
    const connection = await client.connect();
    try {
      await connection.query(`set role ${role}`);
      await connection.query(`insert into batch.audit (act, actor, subject_kind, subject, details)
        values ('cancel', 'test', 'operation', '1', '{}')`);
      for (const statement of [
        'update batch.audit set actor = null',
        'delete from batch.audit',
        'truncate batch.audit',
        'alter table batch.audit disable trigger audit_only_grows',
        'drop table batch.audit',
      ]) {
        await expect(connection.query(statement), statement).rejects.toThrow(/permission denied|must be owner/);
      }
    } finally {
      connection.release(true);
      await client.query(`drop owned by ${role}; drop role ${role}`);
    }
  });

  it('allows its owner to delete old entries, by the statements of docs/access.md', async () => {
    const documentation = readFileSync(new URL('../../../docs/access.md', import.meta.url), 'utf8');
    const statements = /```sql\n([^`]*disable trigger audit_only_grows[^`]*)```/.exec(documentation)![1]!;
    const count = async (): Promise<number> =>
      (await client.query<{ n: number }>('select count(*)::int as n from batch.audit')).rows[0]!.n;
    await client.query(`insert into batch.audit (at, act, subject_kind, subject, details)
      values (now() - interval '3 years', 'cancel', 'operation', 'old', '{}')`);
    const before = await count();
    await client.query(statements);
    expect(await count()).toBe(before - 1);
    await expect(client.query('delete from batch.audit')).rejects.toThrow(/batch\.audit only grows/);
  });
});
