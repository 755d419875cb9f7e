import { Redis } from 'ioredis';
import { eventually } from '../eventually.js';
import { freePort } from '../free-port.js';
import { dockerAnswers, startContainer } from './docker.js';
import { canInstall, installPackages } from './install.js';
import { privateFolder, startPrivateProcess } from './private-process.js';
import { findExecutable } from './run-command.js';
import { given, ignoresLocalServices, type Log, type RunningService } from './running-service.js';

export interface RedisConnection {
  url: string;
}

const READY_TIMEOUT_MS = 30_000;

/**
 * Redis for the tests: `REDIS_URL`, else the one on 127.0.0.1:6379, else `redis-server` started for this run, else
 * a container, else installed from Debian's packages and started.
 */
export async function startRedis(environment: NodeJS.ProcessEnv, log: Log): Promise<RunningService<RedisConnection>> {
  const url = given(environment, 'REDIS_URL');
  if (url !== undefined) return found(url, await serverVersion(url), 'named by REDIS_URL');

  if (!ignoresLocalServices(environment)) {
    const local = 'redis://127.0.0.1:6379';
    const version = await serverVersion(local).catch(() => undefined);
    if (version !== undefined) return found(local, version, 'found');
  }
  const executable = await findExecutable('redis-server');
  if (executable !== undefined) return startServer(executable, log);
  if (await dockerAnswers()) return startInContainer(log);
  if (await canInstall()) {
    await installPackages(['redis-server'], log);
    const installed = await findExecutable('redis-server');
    if (installed !== undefined) return startServer(installed, log);
  }
  throw new Error(
    'The tests need a Redis: start one on 127.0.0.1:6379, name one by REDIS_URL, put redis-server on the PATH, or start Docker',
  );
}

function found(url: string, version: string, how: string): RunningService<RedisConnection> {
  return { connection: { url }, description: describe(url, version, how), stop: () => Promise.resolve() };
}

async function startServer(executable: string, log: Log): Promise<RunningService<RedisConnection>> {
  log(`Starting ${executable}`);
  const port = await freePort();
  const url = `redis://127.0.0.1:${port}`;
  let version = '';
  const folder = await privateFolder('redis');
  const { stop } = await startPrivateProcess({
    name: 'Redis',
    command: [executable, '--bind', '127.0.0.1', '--port', String(port), '--save', '', '--dir', folder],
    folder,
    ready: async () => {
      version = await serverVersion(url);
    },
    timeoutMs: READY_TIMEOUT_MS,
  });
  return { connection: { url }, description: describe(url, version, 'started for this run'), stop };
}

async function startInContainer(log: Log): Promise<RunningService<RedisConnection>> {
  log('Starting Redis in a container');
  const { port, stop } = await startContainer('redis:7', 6379);
  const url = `redis://127.0.0.1:${port}`;
  try {
    const version = await eventually(() => serverVersion(url), { timeoutMs: READY_TIMEOUT_MS });
    return { connection: { url }, description: describe(url, version, 'container, started for this run'), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function serverVersion(url: string): Promise<string> {
  const client = new Redis(url, { lazyConnect: true, retryStrategy: () => null, connectTimeout: 3000 });
  // The rejection of `connect` says the same.
  client.on('error', () => undefined);
  try {
    await client.connect();
    const info = await client.info('server');
    return /redis_version:(\S+)/.exec(info)?.[1] ?? 'of unknown version';
  } finally {
    client.disconnect();
  }
}

function describe(url: string, version: string, how: string): string {
  return `Redis ${version} on ${new URL(url).host}, ${how}`;
}
