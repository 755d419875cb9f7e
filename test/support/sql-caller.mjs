// A caller of `batch.create_operations` as a process of its own, which tests may kill: transactions of an order and its operations, of which
// a third roll back. It says the number of each transaction before it begins.
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';

const { DATABASE, FROM, TO, OUTSIDE } = process.env;
const open = async () => {
  for (;;) {
    const client = new pg.Client(JSON.parse(DATABASE));
    client.on('error', () => undefined);
    try {
      await client.connect();
      return client;
    } catch {
      await delay(20);
    }
  }
};
const operations = (id) => [
  { operationType: 'insert', target: 'effects', values: { id, n: 0 } },
  { operationType: 'increment', target: 'counters', key: { id: id % 10 }, values: { n: 1 } },
  { operationType: 'update', target: 'effects', key: { id }, values: { n: 1 }, mustExist: true },
];

let client = await open();
// The negative control: operations of another transaction.
const other = OUTSIDE === undefined ? undefined : await open();
for (let id = Number(FROM); id < Number(TO); id += 1) {
  process.stdout.write(`${id}\n`);
  try {
    await client.query('begin');
    await client.query('insert into orders values ($1)', [id]);
    await (other ?? client).query('select from batch.create_operations($1)', [JSON.stringify(operations(id))]);
    await delay(Math.random() * 20);
    await client.query(id % 3 === 0 ? 'rollback' : 'commit');
  } catch {
    // Whether it was committed, the table of orders tells.
    client.end().catch(() => undefined);
    client = await open();
  }
}
await client.end();
await other?.end();
