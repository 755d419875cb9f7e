// `npm run example NAME` runs `examples/NAME/main.ts`, and `npm run example:test NAME` its tests. The servers that the example needs
// (`examples/NAME/example.json`) are found or started as for the tests, see CONTRIBUTING.md. The program reads where they are from the
// environment: DB_HOST, DB_PORT, DB_USERNAME, DB_PASSWORD and DB_NAME (a database of this run alone, dropped at the end), REDIS_URL,
// BATCH_SERVICE_RMQ_URL.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join, resolve } from 'node:path';
import { Cleanup } from '../test/support/cleanup.ts';
import { startPostgres } from '../test/support/services/postgres.ts';
import { startRabbitmq } from '../test/support/services/rabbitmq.ts';
import { startRedis } from '../test/support/services/redis.ts';
import { asAdministrator, databaseEnvironment } from '../test/support/test-databases.ts';
import { uniqueName } from '../test/support/unique-name.ts';
import { compiledExamples, compileExamples } from './compile-examples.mjs';

const root = resolve(import.meta.dirname, '..');
const [action, name, ...args] = process.argv.slice(2);
const names = readdirSync(join(root, 'examples')).filter((each) => existsSync(join(root, 'examples', each, 'main.ts')));

/** Each starts one server, and answers the variables that lead to it. */
const SERVERS = {
  async postgres(cleanup, log) {
    const server = await startPostgres(process.env, log);
    cleanup.add('stopping PostgreSQL', server.stop);
    const database = uniqueName('batch_example');
    await asAdministrator(server.connection, (client) => client.query(`create database ${database}`));
    cleanup.add('dropping the database', () =>
      asAdministrator(server.connection, (client) => client.query(`drop database ${database} with (force)`)),
    );
    log(`${server.description}, database ${database}`);
    return databaseEnvironment({ ...server.connection, database });
  },
  async redis(cleanup, log) {
    const server = await startRedis(process.env, log);
    cleanup.add('stopping Redis', server.stop);
    log(server.description);
    return { REDIS_URL: server.connection.url };
  },
  async rabbitmq(cleanup, log) {
    const server = await startRabbitmq(process.env, log);
    cleanup.add('stopping RabbitMQ', server.stop);
    log(server.description);
    return { BATCH_SERVICE_RMQ_URL: server.connection.url };
  },
};

process.exitCode = await main();

async function main() {
  if (!names.includes(name)) {
    console.error(
      `${name === undefined ? 'Which example?' : `There is no example ${name}.`} There is: ${names.join(', ')}`,
    );
    return 2;
  }
  if (action === 'test') {
    const vitest = join(root, 'node_modules/vitest/vitest.mjs');
    return ended(spawnHere([vitest, 'run', '--project', 'examples', `examples/${name}/`, ...args]));
  }
  execFileSync(process.execPath, [join(root, 'scripts/build-if-changed.mjs')], { stdio: 'inherit' });
  compileExamples();
  const cleanup = new Cleanup();
  let status = 1;
  try {
    const environment = await startServers(cleanup);
    const program = join(compiledExamples, name, 'main.js');
    status = await ended(spawnHere(['--enable-source-maps', program, ...args], environment));
  } catch (error) {
    console.error(`✗ ${error.message}`);
  }
  const faults = await cleanup.run();
  for (const fault of faults) console.error(`✗ ${fault}`);
  return status === 0 && faults.length > 0 ? 1 : status;
}

async function startServers(cleanup) {
  const { services } = JSON.parse(readFileSync(join(root, 'examples', name, 'example.json'), 'utf8'));
  let environment = {};
  for (const service of services) {
    const start = SERVERS[service];
    if (start === undefined) throw new Error(`examples/${name}/example.json names an unknown service: ${service}`);
    environment = { ...environment, ...(await start(cleanup, console.log)) };
  }
  return environment;
}

function spawnHere(command, environment = {}) {
  return spawn(process.execPath, command, { cwd: root, stdio: 'inherit', env: { ...process.env, ...environment } });
}

/** The exit code. This process ends after its child: it has to clean up, whoever sent a signal. */
async function ended(child) {
  // Ctrl-C reaches the child by itself.
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  const [code, signal] = await once(child, 'close');
  return code ?? 128 + constants.signals[signal];
}
