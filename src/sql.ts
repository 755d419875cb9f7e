import pg from 'pg';
import { databaseUrl } from './bootstrap/embedded-database.js';
import { onOneConnection } from './bootstrap/on-one-connection.js';
import { readSettings } from './bootstrap/read-settings.js';
import { runCommand, say, UsageError } from './bootstrap/run-command.js';
import { StartError } from './bootstrap/start-error.js';

// `node dist/sql.js "select …"`: runs SQL on the service's database, embedded or not, where there is no psql. Rows are
// written as JSON, one a line. `node dist/sql.js --url` writes the address, for another client.

const USAGE = 'Usage: npm run --silent sql -- "select * from batch.batch_operations"\n';

await runCommand(USAGE, async (args) => {
  const text = args.join(' ');
  if (text === '') throw new UsageError();
  const settings = readSettings();
  if (text === '--url') await say(await databaseUrl(settings));
  else await onOneConnection(settings, (client) => run(client, text));
});

async function run(client: pg.Client, text: string): Promise<void> {
  const results: pg.QueryResult | pg.QueryResult[] = await client.query(text).catch((error: unknown) => {
    throw error instanceof pg.DatabaseError ? new StartError(told(error), { cause: error }) : error;
  });
  for (const result of [results].flat()) await tell(result);
}

async function tell({ command, rowCount, rows, fields }: pg.QueryResult): Promise<void> {
  if (fields.length === 0) return say(rowCount === null ? command : `${command} ${rowCount}`);
  for (const row of rows as unknown[]) await say(JSON.stringify(row));
}

function told({ severity = 'ERROR', message, detail, hint }: pg.DatabaseError): string {
  return [`${severity}: ${message}`, detail, hint].filter((line) => line !== undefined).join('\n');
}
