import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { freePort } from '../free-port.js';
import { privateFolder, startPrivateProcess, type PrivateProcess } from './private-process.js';

/** A Redis of one test, which may set it up, fill it and kill it. */
export interface OwnRedis extends PrivateProcess {
  readonly url: string;
  readonly address: { host: string; port: number };
  /** The folder of its data. */
  readonly dataFolder: string;
  /** A connection without a password. It is made again when it is lost. */
  readonly admin: Redis;
}

/** @param options of `redis-server`, such as `--requirepass` */
export async function startOwnRedis(...options: string[]): Promise<OwnRedis> {
  const port = await freePort();
  const folder = await privateFolder('redis');
  const dataFolder = join(folder, 'data');
  await mkdir(dataFolder);
  const admin = new Redis(port, '127.0.0.1', { lazyConnect: true, enableReadyCheck: false, retryStrategy: () => 100 });
  admin.on('error', () => undefined);
  const server = await startPrivateProcess({
    name: 'Redis',
    command: [
      'redis-server',
      '--bind',
      '127.0.0.1',
      '--port',
      String(port),
      '--dir',
      dataFolder,
      '--save',
      '',
      ...options,
    ],
    folder,
    ready: () => answers(port),
    timeoutMs: 30_000,
  });
  return {
    ...server,
    url: `redis://127.0.0.1:${port}`,
    address: { host: '127.0.0.1', port },
    dataFolder,
    admin,
    async stop() {
      admin.disconnect();
      await server.stop();
    },
  };
}

/** Also when the answer is an error, because a password is missing or the data is still read. */
async function answers(port: number): Promise<void> {
  const client = new Redis(port, '127.0.0.1', { lazyConnect: true, enableReadyCheck: false, retryStrategy: null });
  client.on('error', () => undefined);
  await client.connect().finally(() => client.disconnect());
}
