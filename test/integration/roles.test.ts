import { execFile, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { EntityManager } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { prepareDatabase } from '../../src/bootstrap/check-surroundings.js';
import { SqlTransactionManager } from '../../src/batch/sql/sql-transaction-manager.js';
import { fakeItemContext } from '../../src/batch/testing/fake-executions.js';
import { SqlItemWriter } from '../../src/batch/writers/sql-item-writer.js';
import { STORE_SHAPE } from '../../src/entities/functions/register-shape.js';
import { ApiKeysService } from '../../src/services/access/api-keys.service.js';
import { sealingKey } from '../../src/services/access/sealed-hash.js';
import { DatabaseService } from '../../src/services/database/database.service.js';
import { migrate } from '../../src/services/database/migrate.js';
import { RUNTIME_RIGHTS } from '../../src/services/database/runtime-rights.sql.js';
import { deleteLostWorkers } from '../../src/services/retention/retention.sql.js';
import { RetentionService } from '../../src/services/retention/retention.service.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { clientOptions } from '../support/test-databases.js';
import { testSettings, type TestEnvironment } from '../support/test-settings.js';
import { uniqueName } from '../support/unique-name.js';

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, '../..');
const NO_PSQL = spawnSync('psql', ['--version']).status !== 0;
const PASSWORDS = { DB_PASSWORD: 'runtime-secret', DB_MIGRATION_PASSWORD: 'migration-secret' };

describe.skipIf(NO_PSQL)('the roles that scripts/roles.sql makes (needs psql)', () => {
  const name = uniqueName('roles');
  const roles = { owner: `${name}_owner`, migration: `${name}_migration`, runtime: `${name}_runtime` };
  let database: TestDatabase;
  let environment: TestEnvironment;
  let runtime: pg.Client;
  beforeAll(async () => {
    database = await createTestDatabase({ migrated: false });
    await database.client.query('create table public.old_target (id int primary key)');
    await makeRoles();
    environment = {
      ...database.environment,
      ...PASSWORDS,
      DB_USERNAME: roles.runtime,
      DB_MIGRATION_USERNAME: roles.migration,
    };
    expect(await migrate(testSettings(environment))).toHaveLength(2);
    runtime = new pg.Client({ ...clientOptions(database.connection), user: roles.runtime, password: 'runtime-secret' });
    await runtime.connect();
  });
  afterAll(async () => {
    await runtime?.end();
    const all = Object.values(roles).join(', ');
    await database?.client.query(`drop owned by ${all} cascade; drop role ${all}`);
    await database?.drop();
  });

  async function makeRoles(on: TestDatabase = database): Promise<void> {
    const { host, port, username, password, database: dbname } = on.connection;
    const variables = Object.entries({ ...roles, targets: 'public' }).map(([role, value]) => `--set=${role}=${value}`);
    await run('psql', ['--no-psqlrc', '--quiet', ...variables, '--file', join(ROOT, 'scripts/roles.sql')], {
      env: {
        ...{ PATH: process.env.PATH, ...PASSWORDS },
        ...{ PGHOST: host, PGPORT: String(port), PGUSER: username, PGPASSWORD: password, PGDATABASE: dbname },
      },
    });
  }

  /** All that the runtime role may do with any relation, but for what everybody may; as `RUNTIME_RIGHTS` writes it. */
  async function rightsIn(schema: string): Promise<Record<string, string[]>> {
    const { rows } = await database.client.query<{ name: string; rights: string[] }>(
      `select name, array_agg(right_ order by right_) as rights
       from (
         select c.relname as name, lower(a.privilege_type) as right_
         from pg_class c, aclexplode(c.relacl) a
         where c.relnamespace = $1::regnamespace and a.grantee = $2::regrole
         union all
         select c.relname, lower(a.privilege_type) || ' (' || string_agg(t.attname, ', ' order by t.attname) || ')'
         from pg_class c join pg_attribute t on t.attrelid = c.oid, aclexplode(t.attacl) a
         where c.relnamespace = $1::regnamespace and a.grantee = $2::regrole
         group by c.relname, a.privilege_type
       ) granted
       group by name`,
      [schema, roles.runtime],
    );
    return Object.fromEntries(rows.map(({ name: relation, rights }) => [relation, rights]));
  }

  it('may be made again, and change nothing', async () => {
    const before = await rightsIn('batch');
    await makeRoles();
    expect(await rightsIn('batch')).toEqual(before);
    expect(await migrate(testSettings(environment))).toEqual([]);
    expect(await rightsIn('batch')).toEqual(before);
  });

  it('leave everything of schema batch to the owner, who cannot log in', async () => {
    const { rows } = await database.client.query(
      `select distinct relowner::regrole::text as owner from pg_class where relnamespace = 'batch'::regnamespace
       union select nspowner::regrole::text from pg_namespace where nspname = 'batch'`,
    );
    expect(rows).toEqual([{ owner: roles.owner }]);
    const { rows: logins } = await database.client.query(`select rolcanlogin from pg_roles where rolname = $1`, [
      roles.owner,
    ]);
    expect(logins).toEqual([{ rolcanlogin: false }]);
  });

  it('take over what an installation without them has made', async () => {
    const installed = await createTestDatabase();
    await makeRoles(installed);
    const { rows } = await installed.client.query(
      `select distinct relowner::regrole::text as owner from pg_class where relnamespace = 'batch'::regnamespace`,
    );
    expect(rows).toEqual([{ owner: roles.owner }]);
    const there = { ...environment, ...installed.environment, ...PASSWORDS, DB_USERNAME: roles.runtime };
    expect(await migrate(testSettings(there))).toEqual([]);
    await prepareDatabase(testSettings(there), { onAttempt: () => undefined });
    await installed.client.query(`drop owned by ${Object.values(roles).join(', ')} cascade`);
    await installed.drop();
  });

  describe('let the service, as the runtime role,', () => {
    let app: TestApp;
    beforeAll(async () => {
      await database.client.query(`
        create table public.parents (id int primary key, name text);
        create table public.items (id serial primary key, name text unique, stock int not null default 0, parent int);
        insert into public.parents values (1, 'first')`);
      app = await startTestApp(
        { ...environment, BATCH_PROCESS_OPERATION_INTERVAL: '100', BATCH_OPERATION_RETRY_DELAY: '1' },
        { database },
      );
    });
    afterAll(() => app?.close());

    async function send<T>(method: string, path: string, body?: object): Promise<T> {
      const response = await fetch(`${app.url}/api/v1/${path}`, {
        method,
        headers: { 'content-type': 'application/json' },
        ...(body && { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      expect(response.status, `${method} ${path}: ${text}`).toBeLessThan(300);
      return (text === '' ? undefined : JSON.parse(text)) as T;
    }
    const create = async (operation: object): Promise<string> =>
      (await send<{ id: string }>('POST', 'operations', { source: 'shop', ...operation })).id;
    const outcome = (id: string) =>
      send<{ status: string; chunkId?: string; error?: object }>('GET', `operations/${id}?wait=10000`);

    it('execute operations of all kinds, in order', async () => {
      const onFirst = { target: 'items', key: { id: 1 } };
      const ids = [
        await create({ operationType: 'insert', target: 'items', values: { name: 'a', stock: 1 } }),
        await create({ operationType: 'upsert', target: 'items', values: { id: 1, name: 'b' }, conflictKey: ['id'] }),
        await create({ operationType: 'update', ...onFirst, values: { parent: 1 } }),
        await create({ operationType: 'increment', ...onFirst, values: { stock: 4 } }),
        await create({ operationType: 'insert', target: 'items', values: { id: 2, name: 'gone' } }),
        await create({ operationType: 'delete', target: 'items', key: { id: 2 } }),
      ];
      const outcomes = await Promise.all(ids.map(outcome));
      expect(outcomes.map(({ status, error }) => error ?? status)).toEqual(ids.map(() => 'completed'));
      const { rows } = await database.client.query('select id, name, stock, parent from public.items');
      expect(rows).toEqual([{ id: 1, name: 'b', stock: 5, parent: 1 }]);
    });

    it('erase the values of operations by a bulk action, and cannot change them', async () => {
      const id = await create({
        operationType: 'insert',
        target: 'items',
        values: { id: 900, name: 'secret' },
        source: 'erased',
      });
      await outcome(id);
      const action = await send<{ status: string; done: number }>('POST', 'operations/erasures', {
        filter: { ids: [id] },
      });
      expect(action).toMatchObject({ status: 'completed', done: 1 });
      expect(await send('GET', `operations/${id}`)).toMatchObject({ erased: true, status: 'completed' });
      for (const change of [`"values" = '[]'`, 'erased_at = null', 'id = id']) {
        const denied = runtime.query(`update batch.operations set ${change}`);
        await expect(denied).rejects.toMatchObject({ code: '42501' });
      }
    });

    it('plan, cancel, retry, list, count, and tell of chunks and lanes', async () => {
      const later = new Date(Date.now() + 3_600_000).toISOString();
      const insert = { operationType: 'insert', target: 'items', values: { id: 1, name: 'x' } };
      await send('POST', 'operations/plan', { operations: [insert] });
      const scheduled = await create({ ...insert, runAt: later });
      await send('DELETE', `operations/${scheduled}`);
      const failed = await create(insert);
      expect(await outcome(failed)).toMatchObject({ status: 'failed' });
      await send('POST', `operations/${failed}/retries`);
      await outcome(failed);
      for (const status of ['pending', 'scheduled', 'completed', 'failed', 'cancelled']) {
        await send('GET', `operations?status=${status}`);
      }
      await send('GET', 'stats');
      await send('GET', 'lanes');
      await send('GET', 'notifications');
      const { items } = await send<{ items: { id: string }[] }>('GET', 'chunks');
      await send('GET', `chunks/${items[0]!.id}`);
      await send('POST', `chunks/${items[0]!.id}/notifications`);
      expect(await (await fetch(`${app.url}/metrics`)).text()).toContain('batch_operations');
    });

    it('isolate the bad items of a job, also where functions are closed to the public', async () => {
      await database.client.query('revoke execute on all functions in schema batch from public');
      const writer = new SqlItemWriter<object>({ table: 'items' });
      const manager = new SqlTransactionManager(app.app.get(DatabaseService), { schema: 'batch' });
      const outcomes = await manager.transaction((tx) =>
        writer.write([{ name: 'of a job' }, { name: 'of a job' }], { ...fakeItemContext(tx), reportingWriter: writer }),
      );
      expect(outcomes?.map(({ written }) => written)).toEqual([true, false]);
    });

    it('send the notifications of settled chunks', () =>
      eventually(async () => {
        const { rows } = await database.client.query(
          'select count(*)::int as waiting from batch.chunks where notify and notified_at is null',
        );
        expect(rows).toEqual([{ waiting: 0 }]);
      }));

    it('move tables that were tied together into one lane', async () => {
      await database.client.query('alter table public.items add foreign key (parent) references public.parents');
      const waiting = await create({
        ...{ operationType: 'insert', target: 'items', values: { name: 'later' } },
        runAt: new Date(Date.now() + 3_600_000).toISOString(),
      });
      const ids = [
        await create({ operationType: 'insert', target: 'parents', values: { id: 2 } }),
        await create({ operationType: 'insert', target: 'items', values: { name: 'child', parent: 2 } }),
      ];
      expect((await Promise.all(ids.map(outcome))).map(({ status }) => status)).toEqual(['completed', 'completed']);
      await send('DELETE', `operations/${waiting}`);
    });

    it('try an operation again that waits for its parent', async () => {
      const child = await create({
        ...{ operationType: 'insert', target: 'items', values: { name: 'orphan', parent: 3 } },
        retry: { limit: 100, on: ['missing_parent'] },
      });
      await eventually(async () =>
        expect(await send('GET', `operations/${child}`)).toMatchObject({ waitsFor: 'retry' }),
      );
      await create({ operationType: 'insert', target: 'parents', values: { id: 3 } });
      expect(await outcome(child)).toMatchObject({ status: 'completed' });
    });

    it('park a lane and let it go on', async () => {
      const blocker = new pg.Client(clientOptions(database.connection));
      await blocker.connect();
      await blocker.query('begin; update public.items set stock = 9 where id = 1');
      const blocked = await create({ operationType: 'update', target: 'items', key: { id: 1 }, values: { stock: 2 } });
      await database.client.query(`
        insert into batch.lane_blocks (lane, seq, failures, message, worker, next_try_at, parked_at)
        select lane, seq, 1, 'held', 'test', now(), now() from batch.operations where id = '${blocked}'`);
      const { rows } = await database.client.query('select lane from batch.lane_blocks');
      await blocker.query('rollback');
      await blocker.end();
      await send('POST', `lanes/${(rows as { lane: number }[])[0]!.lane}/resumes`);
      expect(await outcome(blocked)).toMatchObject({ status: 'completed' });
    });

    it('make, list, encrypt anew and revoke API keys', async () => {
      const keys = new ApiKeysService(app.app.get(EntityManager), 'command:test');
      const [old, current] = ['an old secret', 'the current secret'].map((secret) =>
        sealingKey(secret.padEnd(32, '.')),
      );
      const request = {
        name: 'shop',
        scopes: ['write'],
        targets: undefined,
        sources: undefined,
        expiresInDays: 1,
      } as const;
      const text = await keys.create(request, old!);
      const [key] = await keys.list();
      expect(text).toContain(key!.id);
      expect(await keys.rotate([current!, old!])).toEqual({ rotated: [key!.id], unknown: [] });
      expect(await keys.revoke(key!.id)).toMatchObject({ already: false });
    });

    it('delete what is old', async () => {
      await database.client.query(`
        update batch.chunks set settled_at = settled_at - interval '1 year', notified_at = now();
        update batch.outcomes set settled_at = settled_at - interval '1 year'`);
      await app.app.get(DatabaseService).query(deleteLostWorkers());
      await eventually(async () => {
        await app.app.get(RetentionService).poll();
        const { rows } = await database.client.query('select from batch.operations union all select from batch.chunks');
        expect(rows).toEqual([]);
      });
    });
  });

  it('give the runtime role in schema batch what statements of the service need, and nothing else', async () => {
    const sorted = (rights: readonly string[]): string[] =>
      rights
        .map((right) => right.replace(/\((.+)\)/, (_, columns: string) => `(${columns.split(', ').sort().join(', ')})`))
        .sort();
    const needed = Object.entries(RUNTIME_RIGHTS).map(([relation, rights]) => [relation, sorted(rights)]);
    expect(await rightsIn('batch')).toEqual(Object.fromEntries(needed));
  });

  it('have a line for each relation that migrations make', async () => {
    const { rows } = await database.client.query<{ name: string }>(
      `select relname as name from pg_class c
       where relnamespace = 'batch'::regnamespace and relkind in ('r', 'p', 'v', 'm', 'S')
         and pg_get_userbyid(relowner) = $1 and not exists (
           select from pg_depend d where d.objid = c.oid and c.relkind = 'S' and d.deptype in ('a', 'i') and d.refobjsubid > 0
         )`,
      [roles.owner],
    );
    expect(rows.map(({ name: relation }) => relation).sort()).toEqual(Object.keys(RUNTIME_RIGHTS).sort());
  });

  it.each(
    Object.entries(RUNTIME_RIGHTS).flatMap(([relation, rights]) =>
      rights.map((right) => [right.split(' ')[0]!, relation]),
    ),
  )('grant %s on %s for a statement that does so', (verb, relation) => {
    const table = String.raw`\bbatch\.(?:${relation}\b|\$\{place\})`;
    const doing: Record<string, RegExp> = {
      select: new RegExp(`(?:from|join|using) ${table}|\\$\\{SCHEMA\\}\\.${relation}`),
      usage: new RegExp(`nextval\\('${table}'\\)`),
      insert: new RegExp(`insert into ${table}`),
      update: new RegExp(`update ${table}|insert into ${table}[^\`]* do update|${table} x[^\`]* for update of x`),
      delete: new RegExp(`delete from ${table}`),
    };
    expect(STATEMENTS).toMatch(doing[verb]!);
  });

  it.each<[what: string, statement: string]>([
    ['create a table of the service', 'create table batch.mine ()'],
    ['create a table beside the targets', 'create table public.mine ()'],
    ['create a schema', 'create schema mine'],
    ['alter a table', 'alter table batch.operations add column mine int'],
    ['drop a table', 'drop table batch.outcomes'],
    ['truncate', 'truncate batch.pending'],
    ['change what was asked', `update batch.operations set "values" = '[]'`],
    ['change an outcome', `update batch.outcomes set status = 'completed'`],
    ['change the key of a caller', `update batch.api_keys set scopes = '{admin}'`],
    ['delete a key', 'delete from batch.api_keys'],
    ['forget a migration', 'delete from batch.migrations'],
    ['set the sequence of claims', `select setval('batch.requeue_epoch', 1)`],
    ['disable triggers', 'alter table public.old_target disable trigger all'],
    ['pass over triggers', `set session_replication_role = replica`],
    ['read the passwords of roles', 'select rolpassword from pg_authid'],
    ['act as the owner', `set role ${roles.owner}`],
    ['act as the one who migrates', `set role ${roles.migration}`],
    ['make a role', 'create role mine'],
    ['read files of the server', `select pg_read_file('postgresql.conf')`],
    ['run programs', `copy public.old_target from program 'true'`],
  ])('do not let the runtime role %s', async (_what, statement) => {
    await expect(runtime.query(statement)).rejects.toMatchObject({ code: '42501' });
  });

  it('let the service refuse to start without one of its rights, and name it', async () => {
    const settings = testSettings({ ...environment, BATCH_RUN_MIGRATIONS: 'false' });
    const check = () => prepareDatabase(settings, { onAttempt: () => undefined });
    expect(await check()).toEqual([]);
    await database.client.query(`
      revoke insert on batch.outcomes from ${roles.runtime};
      revoke update (notified_at) on batch.chunks from ${roles.runtime};
      revoke usage on sequence batch.requeue_epoch from ${roles.runtime}`);
    await expect(check()).rejects.toThrow(
      /"roles_\w+_runtime" .*insert on outcomes, update \(notified_at\) on chunks, usage on requeue_epoch.*node dist\/migrate\.js/,
    );
    expect(await migrate(testSettings(environment))).toEqual([]);
    expect(await check()).toEqual([]);
  });
});

/** Of all statements of the service, in one text. */
const STATEMENTS = readdirSync(join(ROOT, 'src/services'), { recursive: true, encoding: 'utf8' })
  .filter(
    (file) => file.endsWith('.sql.ts') || file.endsWith('schema-state.ts') || file.endsWith('api-keys.service.ts'),
  )
  .map((file) => readFileSync(join(ROOT, 'src/services', file), 'utf8').replace(/\s+/g, ' '))
  .concat(engineStatements())
  // A function that runs with the rights of who calls it.
  .concat(STORE_SHAPE.sql)
  .join('\n')
  // What TypeORM makes of it.
  .replaceAll(/\btx\.find\(ApiKeyEntity/g, 'select from batch.api_keys')
  .replaceAll(/\btx\.insert\(ApiKeyEntity/g, 'insert into batch.api_keys')
  .replaceAll(/\btx\.update\(ApiKeyEntity/g, 'update batch.api_keys');

/** The engine's statements name its tables by members of `BatchTables`. */
function engineStatements(): string[] {
  const folder = join(ROOT, 'src/batch/repository');
  const snake = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return readdirSync(folder)
    .filter((file) => file.endsWith('.sql.ts') && file !== 'schema.sql.ts')
    .map((file) => readFileSync(join(folder, file), 'utf8').replace(/\s+/g, ' '))
    .concat('select from batch.batch_schema_versions')
    .map((text) => text.replaceAll(/\$\{(?:tables\.)?(\w+)\}/g, (_, table: string) => `batch.${snake(table)}`));
}
