import { setTimeout as delay } from 'node:timers/promises';
import { createRequire } from 'node:module';
import { replaceMethod, serviceModule } from './service-module.mjs';

const { default: pg } = await import(createRequire(process.argv[1]).resolve('pg'));
const { OperationWriter } = await serviceModule('jobs/operation.writer.js');

const LANE_LOCK = /then pg_try_advisory_xact_lock\(\$4::int, h\.lane\)/;
const CLAIM = /order by p\.seq limit \$4::int\n\s*\) p\n\s*order by/;

// Every lane is free for everybody, and the rows of a claim are shared out by `skip locked`: each operation is still executed once, but
// nothing keeps two workers from executing what belongs together at the same time.
replaceMethod(pg.Client.prototype, 'query', function (query, statement, ...rest) {
  const text = statement?.text;
  if (typeof text !== 'string') return query(statement, ...rest);
  if (LANE_LOCK.test(text)) {
    return query({ ...statement, text: text.replace(LANE_LOCK, 'then true or $4::int is null') }, ...rest);
  }
  if (CLAIM.test(text)) {
    const shared = text.replace(CLAIM, (found) =>
      found.replace('limit $4::int', 'limit $4::int for update skip locked'),
    );
    return query({ ...statement, text: shared }, ...rest);
  }
  return query(statement, ...rest);
});

// Chunks that take their time overlap more often.
replaceMethod(OperationWriter.prototype, 'write', async function (write, ...args) {
  await delay(Math.random() * 50);
  return write(...args);
});
