import { Logger } from '@nestjs/common';
import { parseArgs } from 'node:util';
import { copyBuild } from '../chaos/servers/build-copy.js';
import { startServices } from '../support/services.js';
import { asAdministrator, type DatabaseConnection } from '../support/test-databases.js';
import { uniqueName } from '../support/unique-name.js';
import { runHostile } from './run-hostile.js';

const USAGE = `Sends requests that are made to be expensive, by REST and RPC over RabbitMQ, while honest callers use the service.

npm run hostile -- [options]
  --seconds N   how long the attack lasts (120)
  --quick       25 seconds
  --seed N      to send the same requests again (random)
  --help

Exit code: 0 when every claim was met, 1 when not, 2 when an option is wrong.`;

const say = (line: string): void => void process.stdout.write(`${line}\n`);

// What the client's own connection meets is counted as a failure of its caller.
Logger.overrideLogger(false);

async function main(): Promise<number> {
  const values = readArguments();
  if (values.help) return (say(USAGE), 0);
  const seconds = wholeNumber('seconds', values.seconds ?? (values.quick ? '25' : '120'));
  const seed = wholeNumber('seed', values.seed);

  const build = await copyBuild();
  const services = await startServices(process.env, say);
  const { postgres, rabbitmq } = services.connections;
  const databases = [1, 2].map((): DatabaseConnection => ({ ...postgres, database: uniqueName('hostile') }));
  try {
    say(services.description);
    for (const { database } of databases) {
      await asAdministrator(postgresOf(databases), (admin) => admin.query(`create database ${database}`));
    }
    const claims = await runHostile({
      ...{ seed, seconds, quietSeconds: Math.max(10, seconds / 4), say, dist: build.dist },
      ...{ databases: databases as [DatabaseConnection, DatabaseConnection], rpcUrl: rabbitmq.url },
    });
    for (const { claim, measured, met } of claims) say(`${met ? 'met   ' : 'MISSED'} ${claim}: ${measured}`);
    return claims.every(({ met }) => met) ? 0 : 1;
  } finally {
    for (const { database } of databases) {
      await asAdministrator(postgresOf(databases), (admin) =>
        admin.query(`drop database if exists ${database} with (force)`),
      );
    }
    await build.remove();
    await services.stop();
  }
}

/** Of the command line; one that is wrong ends the program. */
function readArguments() {
  try {
    return parseArgs({
      options: {
        seconds: { type: 'string' },
        quick: { type: 'boolean', default: false },
        seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
        help: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    say((error as Error).message);
    process.exit(2);
  }
}

const postgresOf = ([first]: readonly DatabaseConnection[]): DatabaseConnection => first!;

function wholeNumber(option: string, text: string): number {
  const value = text.trim() === '' ? NaN : Number(text);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  say(`--${option}: expected a whole number, got ${text}`);
  process.exit(2);
}

process.exitCode = await main();
