import { join } from 'node:path';
import {
  apiFails,
  apiIsSlow,
  batchFails,
  threeApis,
  twoApis,
  twoWorkers,
  type Scale,
  type Seen,
} from './src/show/problems.js';

const { DB_HOST, DB_PORT, DB_USERNAME = '', DB_PASSWORD = '', DB_NAME, REDIS_URL } = process.env;
if (!DB_HOST || !REDIS_URL) throw new Error('It needs PostgreSQL and Redis: run `npm run example separated`');
const account = `${encodeURIComponent(DB_USERNAME)}:${encodeURIComponent(DB_PASSWORD)}`;
const settings = {
  programs: join(import.meta.dirname, 'src'),
  databaseUrl: `postgres://${account}@${DB_HOST}:${DB_PORT}/${DB_NAME}`,
  redisUrl: REDIS_URL,
};
// `exit` ends the processes that this one has started.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

const failed = await apiFails(settings);
tell('1. An API that fails stops the batch', 'is an order billed afterwards?', failed, yesNo);
expect(!failed.joined && failed.separated);

const broken = await batchFails(settings);
tell('2. A batch that fails stops the API', 'does the API answer afterwards?', broken, yesNo);
expect(!broken.joined && broken.separated);

const slow = await apiIsSlow(settings);
tell('3. A slow API starves the batch', 'runs of the batch while the API computes for two seconds', slow, String);
expect(slow.joined === 0 && slow.separated > 1);

const invoices = await twoApis(settings);
tell('4. Two APIs run the batch twice', 'invoices for one order', invoices, String);
expect(invoices.joined === 2 && invoices.separated === 1);

const scaled = await threeApis(settings);
tell('5. Scaling one scales both', 'three APIs', scaled, printScale);
const workers = await twoWorkers(settings);
console.log(`  separated, with one API and a second worker: ${workers} processes run the batch`);
expect(scaled.joined.batches === 3 && scaled.separated.batches === 1 && workers === 2);

function tell<Fact>(problem: string, question: string, seen: Seen<Fact>, print: (fact: Fact) => string): void {
  console.log(`\n${problem}: ${question}`);
  console.log(`  joined:    ${print(seen.joined)}`);
  console.log(`  separated: ${print(seen.separated)}`);
}

function expect(asSaid: boolean): void {
  if (asSaid) return;
  console.log('  ✗ this is not what the README says');
  process.exitCode = 1;
}

function yesNo(fact: boolean): string {
  return fact ? 'yes' : 'no';
}

function printScale({ batches, runs }: Scale): string {
  return `${batches} of the processes run the batch, ${runs} runs`;
}
