import pg from 'pg';
import { databaseReason } from './bootstrap/explain-start-failure.js';
import { databaseUrl, provideDatabase } from './bootstrap/embedded-database.js';
import { readSettings } from './bootstrap/read-settings.js';
import { StartError } from './bootstrap/start-error.js';
import type { Settings } from './services/config/settings.js';
import { databaseTls } from './services/config/client-tls.js';

// `node dist/sql.js "select …"`: runs SQL on the service's database, embedded or not, where there is no psql. Rows are
// written as JSON, one a line. `node dist/sql.js --url` writes the address for a client of one's own.

const USAGE = 'Usage: npm run --silent sql -- "select * from batch.batch_operations"\n';

process.exitCode = await main(process.argv.slice(2).join(' '));

async function main(text: string): Promise<number> {
  if (text === '') return fail(USAGE, 2);
  const settings = readSettings();
  try {
    if (text === '--url') say(await databaseUrl(settings));
    else await runOn(settings, text);
    return 0;
  } catch (error) {
    return fail(told(error), 1);
  }
}

async function runOn(given: Settings, text: string): Promise<void> {
  const { settings, embedded } = await provideDatabase(given, () => undefined);
  try {
    const client = await connect(settings.database);
    try {
      const results: pg.QueryResult | pg.QueryResult[] = await client.query(text);
      for (const result of [results].flat()) tell(result);
    } finally {
      await client.end();
    }
  } finally {
    await embedded?.stop();
  }
}

async function connect(database: Settings['database']): Promise<pg.Client> {
  const { host, port, username: user, password, name } = database;
  const ssl = databaseTls(database.ssl);
  const client = new pg.Client({ host, port, user, password, database: name, ssl, connectionTimeoutMillis: 5000 });
  // What breaks shows in the queries.
  client.on('error', () => undefined);
  try {
    await client.connect();
    return client;
  } catch (error) {
    throw new StartError(databaseReason(error as Error, database), { cause: error });
  }
}

function tell({ command, rowCount, rows, fields }: pg.QueryResult): void {
  if (fields.length === 0) return say(rowCount === null ? command : `${command} ${rowCount}`);
  for (const row of rows as unknown[]) say(JSON.stringify(row));
}

function told(error: unknown): string {
  if (error instanceof StartError) return `${error.message}\n`;
  if (!(error instanceof pg.DatabaseError)) throw error;
  const more = [error.detail, error.hint].filter((line) => line !== undefined);
  return `${[`${error.severity ?? 'ERROR'}: ${error.message}`, ...more].join('\n')}\n`;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function fail(text: string, status: number): number {
  process.stderr.write(text);
  return status;
}
