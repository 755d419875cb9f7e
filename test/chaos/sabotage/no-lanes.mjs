import { setTimeout as delay } from 'node:timers/promises';
import { createRequire } from 'node:module';
import { replaceMethod, serviceModule } from './service-module.mjs';

const { default: pg } = await import(createRequire(process.argv[1]).resolve('pg'));
const { OperationChunkHandler } = await serviceModule('jobs/operation-chunk.handler.js');
const { claimOperations, takeLanes } = await serviceModule('services/queue/claim.sql.js');

const LANE_LOCK = /then pg_try_advisory_xact_lock\(\$4::int, h\.lane\)/;
const CLAIM =
  /select (p\.seq, .*), row_number\(\) over \(order by p\.seq\) as nth\n([^]*?order by p\.seq limit \$4::int)\n/;

// Every lane is free for everybody, and the rows of a claim are shared out by `skip locked`: each operation is still executed once, but
// nothing keeps two workers from executing what belongs together at the same time.
const withoutLanes = (text) =>
  text
    .replace(LANE_LOCK, 'then true or $4::int is null')
    .replace(
      CLAIM,
      'select p.*, row_number() over (order by p.seq) as nth from (select $1\n$2 for update skip locked) p\n',
    );

const watermarks = { after: [], requeueEpoch: '0' };
for (const { name, text } of [
  takeLanes({ lanes: 'healthy', maxLanes: 1 }, watermarks, 1, ''),
  takeLanes({ lanes: 'blocked', maxLanes: 1 }, watermarks, 1, ''),
  claimOperations([], watermarks, 1, 1),
]) {
  if (withoutLanes(text) === text) throw new Error(`There is nothing in ${name} to sabotage`);
}

replaceMethod(pg.Client.prototype, 'query', function (query, statement, ...rest) {
  if (typeof statement?.text !== 'string') return query(statement, ...rest);
  return query({ ...statement, text: withoutLanes(statement.text) }, ...rest);
});

// Chunks that take their time overlap more often.
replaceMethod(OperationChunkHandler.prototype, 'write', async function (write, ...args) {
  await delay(Math.random() * 50);
  return write(...args);
});
