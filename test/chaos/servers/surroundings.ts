import { setTimeout as delay } from 'node:timers/promises';
import { startOwnRabbitmq, type RestartableRabbitmq } from '../../support/services/rabbitmq.js';
import { startTcpProxy, type TcpProxy } from '../../support/tcp-proxy.js';
import { copyBuild, type BuildCopy } from './build-copy.js';
import { startOwnPostgres, type OwnPostgres } from './own-postgres.js';

const CLOSES_WITHIN_MS = 90_000;

/** What a run needs beside the service: servers of its own, and the compiled service as it was when the run began. */
export interface Surroundings {
  postgres: OwnPostgres;
  rabbitmq: RestartableRabbitmq;
  /** Between the processes of the service and the broker. */
  serviceProxy: TcpProxy;
  /** Between the callers and the broker. */
  callerProxy: TcpProxy;
  build: BuildCopy;
  /** Stops and removes everything, the last that was started first. */
  close(): Promise<void>;
}

/** @param dist a build to test; default: `src`, compiled now */
export async function provideSurroundings(log: (line: string) => void, dist?: string): Promise<Surroundings> {
  const undo: { name: string; release: () => Promise<void> }[] = [];
  const close = async (): Promise<void> => {
    const failures: unknown[] = [];
    for (const step of undo.splice(0).reverse()) await inTime(step).catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw new AggregateError(failures, 'Not everything could be stopped');
  };
  const keep = <T>(name: string, thing: T, release: () => Promise<void>): T => {
    undo.push({ name, release });
    return thing;
  };
  try {
    const started = await Promise.allSettled([
      copyBuild(dist).then((copy) => keep('the copy of the build', copy, () => copy.remove())),
      startOwnPostgres().then((server) => keep('PostgreSQL', server, () => server.stop())),
      startOwnRabbitmq(log).then((broker) => keep('RabbitMQ', broker, () => broker.stop())),
    ] as const);
    const [build, postgres, rabbitmq] = [valueOf(started[0]), valueOf(started[1]), valueOf(started[2])];
    const { hostname: host, port } = new URL(rabbitmq.connection.url);
    const proxy = async (): Promise<TcpProxy> => {
      const opened = await startTcpProxy({ host, port: Number(port) });
      return keep('a proxy', opened, () => opened.close());
    };
    const [serviceProxy, callerProxy] = [await proxy(), await proxy()];
    return { postgres, rabbitmq, serviceProxy, callerProxy, build, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** What does not stop is named. A run must not wait for it for ever. */
async function inTime({ name, release }: { name: string; release: () => Promise<void> }): Promise<void> {
  const tooLate = new AbortController();
  const late = delay(CLOSES_WITHIN_MS, undefined, { signal: tooLate.signal }).then(() => {
    throw new Error(`${name} has not stopped within ${CLOSES_WITHIN_MS} ms`);
  });
  try {
    await Promise.race([release(), late]);
  } finally {
    tooLate.abort();
    late.catch(() => undefined);
  }
}

/** Whatever failed, the others are through, so that all that was started is known. */
function valueOf<T>(result: PromiseSettledResult<T>): T {
  if (result.status === 'rejected') throw result.reason;
  return result.value;
}
