import pg from 'pg';
import { databaseUrl } from './bootstrap/embedded-database.js';
import { onOneConnection } from './bootstrap/on-one-connection.js';
import { readSettings } from './bootstrap/read-settings.js';
import { StartError } from './bootstrap/start-error.js';

// `node dist/sql.js "select …"`: runs SQL on the service's database, embedded or not, where there is no psql. Rows are
// written as JSON, one a line. `node dist/sql.js --url` writes the address for a client of one's own.

const USAGE = 'Usage: npm run --silent sql -- "select * from batch.batch_operations"\n';

process.exitCode = await main(process.argv.slice(2).join(' '));

async function main(text: string): Promise<number> {
  if (text === '') return fail(USAGE, 2);
  const settings = readSettings();
  try {
    if (text === '--url') say(await databaseUrl(settings));
    else await onOneConnection(settings, (client) => run(client, text));
    return 0;
  } catch (error) {
    return fail(told(error), 1);
  }
}

async function run(client: pg.Client, text: string): Promise<void> {
  const results: pg.QueryResult | pg.QueryResult[] = await client.query(text);
  for (const result of [results].flat()) tell(result);
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
