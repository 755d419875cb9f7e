import { execFile } from 'node:child_process';
import { access, chmod, chown, mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../../src/services/database/embedded-postgres.js';
import { eventually } from '../support/eventually.js';
import { startHttpReceiver } from '../support/http-receiver.js';
import { startServiceProcess } from '../support/service-process.js';

const run = promisify(execFile);
const isRoot = process.getuid?.() === 0;

describe('the embedded PostgreSQL', () => {
  let folder: string;
  let count = 0;
  const started: EmbeddedPostgres[] = [];
  const newDirectory = (): string => join(folder, `cluster-${++count}`);

  /** A directory whose data was made before: that takes longer than all the rest of a start. */
  async function madeDirectory(): Promise<string> {
    const directory = newDirectory();
    await run('cp', ['-a', join(folder, 'made'), directory]);
    return directory;
  }

  async function start(directory: string, database?: string): Promise<EmbeddedPostgres> {
    const server = await startEmbeddedPostgres(directory, database);
    started.push(server);
    return server;
  }

  async function query(
    { host, port, username, password }: EmbeddedPostgres,
    text: string,
    database = 'postgres',
  ): Promise<Record<string, unknown>[]> {
    const client = new pg.Client({ host, port, user: username, password, database });
    await client.connect();
    try {
      return (await client.query<Record<string, unknown>>(text)).rows;
    } finally {
      await client.end();
    }
  }

  const pidFile = (directory: string): string => join(directory, 'cluster/data/postmaster.pid');

  const runs = (directory: string): Promise<boolean> =>
    access(pidFile(directory)).then(
      () => true,
      () => false,
    );

  async function postmasterPid(directory: string): Promise<number> {
    return Number((await readFile(pidFile(directory), 'utf8')).split('\n')[0]);
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'batch-embedded-'));
    await chmod(folder, 0o755);
    await (await start(join(folder, 'made'))).stop();
  });
  afterEach(async () => {
    for (const server of started.splice(0)) await server.stop();
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('keeps its data and its password from one start to the next', async () => {
    const directory = await madeDirectory();
    const first = await start(directory, 'shop');
    expect(first).toMatchObject({ host: '127.0.0.1', directory });
    await query(first, 'create table kept (id int)', 'shop');
    await first.stop();
    expect(await runs(directory)).toBe(false);

    const second = await start(directory, 'shop');

    expect(await query(second, 'select * from kept', 'shop')).toEqual([]);
    expect(second.password).toBe(first.password);
  });

  it('is reachable from this machine only, and only with its password, which nobody else may read', async () => {
    const directory = await madeDirectory();
    const server = await start(directory);

    expect(await query(server, 'show listen_addresses')).toEqual([{ listen_addresses: '127.0.0.1' }]);
    expect(await query(server, 'show unix_socket_directories')).toEqual([{ unix_socket_directories: '' }]);
    await expect(query({ ...server, password: 'guess' }, 'select 1')).rejects.toMatchObject({ code: '28P01' });
    const cluster = join(directory, 'cluster');
    expect((await stat(cluster)).mode & 0o777).toBe(0o700);
    expect((await stat(join(cluster, 'password'))).mode & 0o777).toBe(0o600);
    expect((await readdir(cluster)).sort()).toEqual(['data', 'password', 'postgres.log']);
    expect(await readFile(join(cluster, 'postgres.log'), 'utf8')).not.toContain(server.password);
  });

  it('sorts and folds case the same on every machine, in UTF-8', async () => {
    const server = await start(await madeDirectory());

    expect(
      await query(
        server,
        `select datlocprovider, datlocale, pg_encoding_to_char(encoding) as encoding, upper('é') as upper,
          current_setting('timezone') as timezone
        from pg_database where datname = 'postgres'`,
      ),
    ).toEqual([{ datlocprovider: 'b', datlocale: 'C.UTF-8', encoding: 'UTF8', upper: 'É', timezone: 'UTC' }]);
  });

  it('is one server for all who name its folder, started together or not; the last one stops it', async () => {
    const directory = newDirectory();
    const servers = await Promise.all([start(directory, 'shop'), start(directory, 'shop'), start(directory, 'shop')]);

    expect(new Set(servers.map(({ port }) => port)).size).toBe(1);
    await servers[0]?.stop();
    await servers[1]?.stop();
    expect(await query(servers[2], 'select 1 as one', 'shop')).toEqual([{ one: 1 }]);
    await servers[2]?.stop();
    expect(await runs(directory)).toBe(false);
  });

  it('stops once, however often and at the same time it is told to', async () => {
    const directory = await madeDirectory();
    const [one, other] = await Promise.all([start(directory), start(directory)]);

    await Promise.all([one.stop(), other.stop(), one.stop()]);
    await one.stop();

    expect(await runs(directory)).toBe(false);
  });

  it('starts again after its server was killed', async () => {
    const directory = await madeDirectory();
    const before = await start(directory);
    await query(before, 'create table kept (id int)');

    process.kill(await postmasterPid(directory), 'SIGKILL');
    await before.stop();
    const after = await eventually(() => start(directory));

    expect(await query(after, 'select * from kept')).toEqual([]);
  });

  it('tries again where a start has failed, as it does when another process starts and stops the server meanwhile', async () => {
    const directory = await madeDirectory();
    const data = join(directory, 'cluster/data');
    await chmod(data, 0o777);
    const starting = start(directory);
    await eventually(async () =>
      expect(await readFile(join(directory, 'cluster/postgres.log'), 'utf8')).toContain('has invalid permissions'),
    );
    await chmod(data, 0o700);

    expect(await query(await starting, 'select 1 as one')).toEqual([{ one: 1 }]);
  });

  it('takes a port of its own beside the server of another folder', async () => {
    const [one, other] = await Promise.all([start(await madeDirectory()), start(await madeDirectory())]);

    expect(one.port).not.toBe(other.port);
    await one.stop();
    expect(await query(other, 'select 1 as one')).toEqual([{ one: 1 }]);
  });

  it('starts over where it was killed while it made its data', async () => {
    const directory = newDirectory();
    await mkdir(join(directory, 'cluster.abc123/data'), { recursive: true });

    const server = await start(directory);

    expect(await query(server, 'select 1 as one')).toEqual([{ one: 1 }]);
  });

  it('leaves alone what else lies in its folder, and the folder itself', async () => {
    const directory = newDirectory();
    await mkdir(directory);
    await writeFile(join(directory, 'thesis.txt'), 'x');
    const before = await stat(directory);

    await start(directory);

    expect(await stat(directory)).toMatchObject({ uid: before.uid, mode: before.mode });
    expect((await readdir(directory)).sort()).toEqual(['cluster', 'thesis.txt']);
  });

  it('says of data of another major version why it cannot start', async () => {
    const directory = await madeDirectory();
    await writeFile(join(directory, 'cluster/data/PG_VERSION'), '12\n');

    await expect(start(directory)).rejects.toThrow(
      /did not start;[^]*by PostgreSQL version 12, which is not compatible/,
    );
  });

  it("says what the server's log says when it cannot start", async () => {
    const directory = await madeDirectory();
    await writeFile(join(directory, 'cluster/data/postgresql.conf'), 'shared_buffers = plenty\n');

    await expect(start(directory)).rejects.toThrow(/did not start;.*postgres\.log ends with:[^]*shared_buffers/);
  });

  it('heeds no variable that is meant for another server, and no locale of this machine', async () => {
    const service = await startServiceProcess({
      program: 'migrate',
      environment: {
        BATCH_EMBEDDED_DIR: newDirectory(),
        ...{ PGDATA: '/nowhere', PGPORT: '1', PGUSER: 'nobody', PGSSLMODE: 'require', LC_ALL: 'xx_YY.UTF-8' },
      },
    });

    expect(await service.exited, service.output).toBe(0);
  });

  /** An account without rights; who runs the tests as an ordinary user is one already. */
  async function ordinaryUser(): Promise<{ uid: number; gid: number; home: string }> {
    const home = await mkdtemp(join(tmpdir(), 'batch-home-'));
    if (!isRoot) return { uid: process.getuid!(), gid: process.getgid!(), home };
    const [uid, gid] = await Promise.all(
      ['-u', '-g'].map(async (flag) => Number((await run('id', [flag, 'nobody'])).stdout)),
    );
    await chown(home, uid!, gid!);
    return { uid: uid!, gid: gid!, home };
  }

  // A server on the test machine often wants no password, so that only this test shows that each connection has one.
  it('gets its password from every connection of the service, also from the one that leads the alerts', async () => {
    const receiver = await startHttpReceiver();
    const service = await startServiceProcess({
      environment: {
        BATCH_EMBEDDED_DIR: await madeDirectory(),
        BATCH_ALERT_WEBHOOK_URL: receiver.url,
        BATCH_ALERT_WEBHOOK_SECRET: 'a-secret-that-the-receiver-knows-too',
        BATCH_ALERT_INTERVAL: '200',
        LOG_LEVEL: 'info',
      },
    });
    try {
      await service.up();
      await eventually(() => expect(service.output).toContain('This process evaluates the rules of alerts'));
      expect(service.output).not.toContain('could not be evaluated');
    } finally {
      await service.end();
      await receiver.close();
    }
  });

  it('runs for an ordinary user whose home is closed to all others', async () => {
    const account = await ordinaryUser();
    const environment = { BATCH_EMBEDDED_DIR: join(account.home, 'project/.data/postgres') };

    const first = await startServiceProcess({ program: 'migrate', account, environment });
    expect(await first.exited, first.output).toBe(0);
    const second = await startServiceProcess({ program: 'migrate', account, environment });
    expect(await second.exited, second.output).toBe(0);

    expect(second.output).toContain('No migration was missing');
    expect((await stat(account.home)).mode & 0o777).toBe(0o700);
    await rm(account.home, { recursive: true });
  });

  it('as root finds a place that the account of the server may enter, and says which', async () => {
    const closed = await mkdtemp(join(tmpdir(), 'batch-closed-'));

    const server = await start(join(closed, 'postgres'));

    expect(await query(server, 'select 1 as one')).toEqual([{ one: 1 }]);
    if (isRoot) expect(server.directory).toBe(join('/var/lib/batch-service', closed, 'postgres'));
    else expect(server.directory).toBe(join(closed, 'postgres'));
    await server.stop();
    await rm(dirname(server.directory), { recursive: true });
    await rm(closed, { recursive: true, force: true });
  });
});
