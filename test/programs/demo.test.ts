import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'amqplib';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { createTestDatabase } from '../support/database.js';
import { asAdministrator, clientOptions } from '../support/test-databases.js';
import type { TestEnvironment } from '../support/test-settings.js';
import { uniqueName } from '../support/unique-name.js';

const ROOT = join(import.meta.dirname, '../..');
const COMMAND = ['--import', import.meta.resolve('tsx'), join(ROOT, 'demo/main.ts')];
const TIMEOUT_MS = 90_000;

interface Run {
  status: number | null;
  output: string;
}

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'batch-demo-'));
  // For root the embedded server runs as another user, who has to come through.
  await chmod(folder, 0o755);
}, 120_000);
afterAll(async () => rm(folder, { recursive: true, force: true }));

/** Runs the demo in the folder; `onOutput` hears all that was written so far, and may send a signal. */
async function demo(
  args: string[],
  environment: TestEnvironment = {},
  onOutput: (output: string, kill: (signal: NodeJS.Signals) => void) => void = () => undefined,
): Promise<Run> {
  const child = spawn(process.execPath, [...COMMAND, ...args], {
    cwd: folder,
    // In another folder tsx does not find the settings of the compiler by itself.
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      TSX_TSCONFIG_PATH: join(ROOT, 'tsconfig.json'),
      ...environment,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const append = (chunk: Buffer): void => {
    output += chunk.toString();
    onOutput(output, (signal) => child.kill(signal));
  };
  child.stdout.on('data', append);
  child.stderr.on('data', append);
  const [status] = (await once(child, 'close')) as [number | null];
  return { status, output };
}

function postgresVariables(): TestEnvironment {
  const { host, port, username, password } = inject('services')!.postgres;
  return { DB_HOST: host, DB_PORT: String(port), DB_USERNAME: username, DB_PASSWORD: password };
}

async function databaseExists(name: string): Promise<boolean> {
  let rowCount: number | null = null;
  await asAdministrator(inject('services')!.postgres, async (client) => {
    ({ rowCount } = await client.query('select from pg_database where datname = $1', [name]));
  });
  return rowCount === 1;
}

async function queueExists(name: string): Promise<boolean> {
  const connection = await connect(inject('services')!.rabbitmq.url);
  try {
    const channel = await connection.createChannel();
    // Told by the rejected call already.
    channel.on('error', () => undefined);
    return await channel.checkQueue(name).then(
      () => true,
      () => false,
    );
  } finally {
    await connection.close();
  }
}

const isRunning = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};
const found = (output: string, pattern: RegExp): string => pattern.exec(output)?.[1] ?? '';

describe('the demo', () => {
  it(
    'shows the whole service on nothing but Node, and stops what it started',
    async () => {
      const { status, output } = await demo(['--operations', '600']);
      expect(output).toMatch(/PostgreSQL \d+.* EMBEDDED, .* data in \.data\/demo\/postgres/);
      expect(output).toContain('NO BROKER');
      expect(output.match(/✓/g)).toHaveLength(4);
      expect(status, output).toBe(0);
      await expect(access(join(folder, '.data/demo/postgres/cluster/data/postmaster.pid'))).rejects.toThrow('ENOENT');
      expect(isRunning(Number(found(output, /process (\d+)/)))).toBe(false);
    },
    TIMEOUT_MS,
  );

  it(
    'goes through the database server and the broker that .env names, and leaves nothing behind there',
    async () => {
      const database = uniqueName('batch_demo');
      const { rabbitmq } = inject('services')!;
      // The service must not take the queue of somebody's real one.
      const foreignQueue = uniqueName('queue');
      const variables = {
        ...postgresVariables(),
        BATCH_SERVICE_RMQ_URL: rabbitmq.url,
        BATCH_SERVICE_RMQ_QUEUE: foreignQueue,
      };
      const file = join(folder, '.env');
      await writeFile(
        file,
        Object.entries(variables)
          .map(([name, value]) => `${name}=${value}\n`)
          .join(''),
      );
      try {
        const { status, output } = await demo(['--operations', '600', '--database', database]);
        expect(output).toContain('as DB_HOST says');
        expect(output).toContain('as BATCH_SERVICE_RMQ_URL says');
        expect(output).not.toMatch(/EMBEDDED|NO BROKER/);
        expect(status, output).toBe(0);
        const queue = found(output, /queue (batch_service\.demo-\w+)/);
        const source = queue.replace('batch_service.', '');
        expect(source).toMatch(/^demo-/);
        for (const name of [queue, `${queue}.dead`, `${queue}.parked`, `${source}.settled`, foreignQueue]) {
          expect(await queueExists(name), name).toBe(false);
        }
        expect(await databaseExists(database)).toBe(false);
      } finally {
        await rm(file);
      }
    },
    TIMEOUT_MS,
  );

  it(
    'fails, and shows the row, when a table is not as row by row',
    async () => {
      const database = uniqueName('batch_demo');
      let tampered: Promise<unknown> | undefined;
      const tamper = async (): Promise<void> => {
        const client = new pg.Client(clientOptions({ ...inject('services')!.postgres, database }));
        await client.connect();
        await client.query(`insert into public.customers (id, email, name) values (-7, 'intruder', 'Intruder')`);
        await client.end();
      };
      const { status, output } = await demo(
        ['--operations', '2000', '--database', database],
        postgresVariables(),
        (soFar) => {
          if (soFar.includes('enqueued')) tampered ??= tamper();
        },
      );
      await tampered;
      expect(output).toMatch(/✗ 1 differences.*\n +customers: only in public: .*intruder/);
      expect(output).not.toContain('✓');
      expect(status).toBe(1);
    },
    TIMEOUT_MS,
  );

  it(
    'cleans up when it is interrupted',
    async () => {
      const database = uniqueName('batch_demo');
      const { status, output } = await demo(
        ['--operations', '5000', '--database', database],
        postgresVariables(),
        (soFar, kill) => {
          if (soFar.includes('enqueued')) kill('SIGINT');
        },
      );
      expect(output).toContain('Interrupted');
      expect(status, output).toBe(130);
      expect(isRunning(Number(found(output, /process (\d+)/)))).toBe(false);
      expect(await databaseExists(database)).toBe(false);
    },
    TIMEOUT_MS,
  );

  it(
    'fails with the last words of the service when that dies',
    async () => {
      const database = uniqueName('batch_demo');
      let killed = false;
      const { status, output } = await demo(
        ['--operations', '5000', '--database', database],
        postgresVariables(),
        (soFar) => {
          if (killed || !soFar.includes('enqueued')) return;
          killed = process.kill(Number(found(soFar, /process (\d+)/)), 'SIGKILL');
        },
      );
      expect(output).toMatch(/✗ The service ended with SIGKILL\. Its last words:\n.*INFO/);
      expect(status).toBe(1);
      expect(await databaseExists(database)).toBe(false);
    },
    TIMEOUT_MS,
  );

  it('does not touch a database that it has not made', async () => {
    const database = await createTestDatabase();
    try {
      const { status, output } = await demo(['--database', database.name], postgresVariables());
      expect(output).toContain(`There is a database ${database.name} that the demo has not made`);
      expect(status).toBe(1);
      expect((await database.client.query('select from batch.operations')).rowCount).toBe(0);
    } finally {
      await database.drop();
    }
  });
});
