import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect } from 'amqplib';
import { eventually } from '../eventually.js';
import { freePort } from '../free-port.js';
import { uniqueName } from '../unique-name.js';
import { dockerAnswers, startContainer } from './docker.js';
import { canInstall, installPackages } from './install.js';
import { privateFolder, startPrivateProcess, type PrivateProcess } from './private-process.js';
import { findExecutable, isExecutable, runCommand } from './run-command.js';
import { given, ignoresLocalServices, type Log, type RunningService } from './running-service.js';

export interface RabbitmqConnection {
  /** Includes the vhost of this run, where one could be made; use unique names all the same. */
  url: string;
}

const LOCAL_URL = 'amqp://guest:guest@127.0.0.1:5672';
const READY_TIMEOUT_MS = 90_000;
// Debian's wrapper on the PATH refuses everybody but root and the system's own user; the script behind it does not.
const DEBIAN_SERVER = '/usr/lib/rabbitmq/bin/rabbitmq-server';

/**
 * RabbitMQ for the tests: `BATCH_SERVICE_RMQ_URL`, else the broker on 127.0.0.1:5672 that lets `guest` in, else
 * `rabbitmq-server` started for this run on its own ports and folders, else a container, else installed from Debian's
 * packages and started. In a broker that others may use too, the run gets a vhost of its own if one can be made.
 */
export async function startRabbitmq(
  environment: NodeJS.ProcessEnv,
  log: Log,
): Promise<RunningService<RabbitmqConnection>> {
  const url = given(environment, 'BATCH_SERVICE_RMQ_URL');
  // It names the vhost to use as well.
  if (url !== undefined) return found(url, await brokerVersion(url), 'named by BATCH_SERVICE_RMQ_URL');

  if (!ignoresLocalServices(environment)) {
    const version = await brokerVersion(LOCAL_URL).catch(() => undefined);
    if (version !== undefined) return withOwnVhost(version, log);
  }
  const executable = await findServer();
  if (executable !== undefined) return startServer(executable, log);
  if (await dockerAnswers()) return startInContainer(log);
  if (await canInstall()) {
    await installPackages(['rabbitmq-server'], log);
    const installed = await findServer();
    if (installed !== undefined) return startServer(installed, log);
  }
  throw new Error(
    'The tests need a RabbitMQ: start one on 127.0.0.1:5672 (guest/guest), name one by BATCH_SERVICE_RMQ_URL, ' +
      'put rabbitmq-server on the PATH, or start Docker',
  );
}

function found(url: string, version: string, how: string): RunningService<RabbitmqConnection> {
  return { connection: { url }, description: describe(url, version, how), stop: () => Promise.resolve() };
}

async function withOwnVhost(version: string, log: Log): Promise<RunningService<RabbitmqConnection>> {
  const vhost = uniqueName('batch_test');
  const url = `${LOCAL_URL}/${vhost}`;
  const remove = async (): Promise<void> => {
    await runCommand('rabbitmqctl', ['delete_vhost', vhost]);
  };
  try {
    await runCommand('rabbitmqctl', ['add_vhost', vhost]);
    await runCommand('rabbitmqctl', ['set_permissions', '--vhost', vhost, 'guest', '.*', '.*', '.*']);
    await brokerVersion(url);
    return { connection: { url }, description: describe(url, version, `found, vhost ${vhost}`), stop: remove };
  } catch (error) {
    log(`Using RabbitMQ's default vhost: ${error instanceof Error ? error.message : String(error)}`);
    await remove().catch(() => undefined);
    return found(LOCAL_URL, version, 'found, default vhost');
  }
}

/** A broker that a test may kill and start again; it keeps its address and its data. */
export interface RestartableRabbitmq extends RunningService<RabbitmqConnection> {
  kill(): Promise<void>;
  /** Resolves when it accepts connections. */
  restart(): Promise<void>;
  /** Further lines of rabbitmq.conf, instead of those before, from its next start on. */
  configure(lines: string): Promise<void>;
}

/** A broker of this run alone, whatever else listens on this machine. `configuration`: further lines of rabbitmq.conf. */
export async function startOwnRabbitmq(log: Log, configuration = ''): Promise<RestartableRabbitmq> {
  let executable = await findServer();
  if (executable === undefined && (await canInstall())) {
    await installPackages(['rabbitmq-server'], log);
    executable = await findServer();
  }
  if (executable === undefined) {
    throw new Error('A broker that can be killed needs rabbitmq-server on the PATH: install it');
  }
  return startServer(executable, log, configuration);
}

async function findServer(): Promise<string | undefined> {
  return (await isExecutable(DEBIAN_SERVER)) ? DEBIAN_SERVER : findExecutable('rabbitmq-server');
}

async function startServer(executable: string, log: Log, configuration = ''): Promise<RestartableRabbitmq> {
  log(`Starting ${executable}`);
  const [port, distributionPort, epmdPort] = [await freePort(), await freePort(), await freePort()];
  const url = `amqp://guest:guest@127.0.0.1:${port}`;
  const folder = await privateFolder('rabbitmq');
  const configure = (lines: string): Promise<void> =>
    writeFile(join(folder, 'rabbitmq.conf'), `listeners.tcp.default = 127.0.0.1:${port}\n${lines}`);
  await configure(configuration);
  await writeFile(join(folder, 'enabled_plugins'), '[].\n');
  await writeFile(join(folder, '.erlang.cookie'), uniqueName('cookie'));
  await chmod(join(folder, '.erlang.cookie'), 0o400);

  const epmd = await startPortMapper(epmdPort);
  let version = '';
  try {
    const server = await startPrivateProcess({
      name: 'RabbitMQ',
      command: [executable],
      environment: {
        HOME: folder,
        ERL_EPMD_PORT: String(epmdPort),
        // An address needs no name service; Erlang takes one as a host in long names only.
        RABBITMQ_USE_LONGNAME: 'true',
        RABBITMQ_NODENAME: `${uniqueName('batch_test')}@127.0.0.1`,
        RABBITMQ_DIST_PORT: String(distributionPort),
        RABBITMQ_CONFIG_FILE: join(folder, 'rabbitmq.conf'),
        RABBITMQ_CONF_ENV_FILE: join(folder, 'rabbitmq-env.conf'),
        RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'enabled_plugins'),
        RABBITMQ_MNESIA_BASE: join(folder, 'data'),
        RABBITMQ_LOG_BASE: join(folder, 'log'),
        RABBITMQ_PID_FILE: join(folder, 'pid'),
      },
      folder,
      ready: async () => {
        version = await brokerVersion(url);
      },
      timeoutMs: READY_TIMEOUT_MS,
    });
    const stop = async (): Promise<void> => {
      await server.stop();
      await epmd.stop();
    };
    const { kill, restart } = server;
    const description = describe(url, version, 'started for this run');
    return { connection: { url }, description, stop, kill, restart, configure };
  } catch (error) {
    await epmd.stop();
    throw error;
  }
}

/** Erlang's port mapper, on a port of its own: one that the node starts by itself would outlive the node. */
async function startPortMapper(port: number): Promise<Pick<PrivateProcess, 'stop'>> {
  const executable = await findExecutable('epmd');
  // Erlang kept somewhere else: the node finds and starts its own, which ends with the node's process group.
  if (executable === undefined) return { stop: () => Promise.resolve() };
  return startPrivateProcess({
    name: 'epmd',
    command: [executable, '-address', '127.0.0.1', '-port', String(port)],
    folder: await privateFolder('epmd'),
    ready: async () => {
      await runCommand(executable, ['-port', String(port), '-names']);
    },
    timeoutMs: READY_TIMEOUT_MS,
  });
}

async function startInContainer(log: Log): Promise<RunningService<RabbitmqConnection>> {
  log('Starting RabbitMQ in a container');
  const { port, stop } = await startContainer('rabbitmq:4', 5672);
  const url = `amqp://guest:guest@127.0.0.1:${port}`;
  try {
    const version = await eventually(() => brokerVersion(url), { timeoutMs: READY_TIMEOUT_MS });
    return { connection: { url }, description: describe(url, version, 'container, started for this run'), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function brokerVersion(url: string): Promise<string> {
  try {
    const connection = await connect(url, { timeout: 3000 });
    const version: unknown = connection.connection.serverProperties.version;
    await connection.close();
    return String(version);
  } catch (error) {
    throw new Error(`No RabbitMQ answers on ${new URL(url).host}${new URL(url).pathname}`, { cause: error });
  }
}

function describe(url: string, version: string, how: string): string {
  return `RabbitMQ ${version} on ${new URL(url).host}, ${how}`;
}
