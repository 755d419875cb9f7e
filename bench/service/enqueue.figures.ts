import { EVERYTHING, type Figure } from '../contest/contest.js';
import { emptyEcho } from '../controls/echo.js';
import { endToEnd } from './end-to-end.js';
import { nestCaller, publishedCaller, type OpenCaller } from './rpc/callers.js';
import { pgBossEnqueue } from './rpc/enqueue-pg-boss.js';
import { sqlEnqueue } from './rpc/enqueue-sql.js';
import { bulkEnqueue, singleEnqueue } from './rpc/enqueue-service.js';
import { CALLS_IN_FLIGHT, OPERATIONS_PER_CALL } from './rpc/item-requests.js';

/** Intake through RabbitMQ or in SQL. Only in the last race a worker executes the operations meanwhile. */
export const enqueueFigures: Figure[] = [
  {
    kind: 'race',
    name: 'enqueue',
    title: `Bulk enqueue: ${OPERATIONS_PER_CALL} operations a call, ${CALLS_IN_FLIGHT} calls in flight, durable before the answer; the service by RPC over RabbitMQ, and in SQL`,
    contestants: [pgBossEnqueue, bulkEnqueue, sqlEnqueue],
    quickLacks: 'statements',
  },
  // The echo is called with NestJS' own client; the published client does more for its callers.
  {
    ...singleCalls('enqueue-single', 64, {
      'Batch Service': publishedCaller,
      'Batch Service, Nest client': nestCaller,
    }),
    quickLacks: 'statements',
  },
  { ...singleCalls('enqueue-single-256', 256, { 'Batch Service': publishedCaller }), quickLacks: EVERYTHING },
  endToEnd,
];

function singleCalls(name: string, inFlight: number, callers: Readonly<Record<string, OpenCaller>>): Figure {
  return {
    kind: 'race',
    name,
    title: `Single enqueue by RPC over RabbitMQ: one operation a call, ${inFlight} in flight, durable before the answer`,
    contestants: [
      emptyEcho(inFlight),
      ...Object.entries(callers).map(([caller, open]) => singleEnqueue(caller, open, inFlight)),
    ],
  };
}
