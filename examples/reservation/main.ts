import { parseArgs } from 'node:util';
import type { ReservationAnswer } from './src/reservation-job.js';
import { runShow, type Act } from './src/show/run-show.js';
import { databaseSettings } from './src/show/settings.js';

const { RESERVATION_REQUESTS = '10000', RESERVATION_SEATS = '500' } = process.env;
const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: RESERVATION_REQUESTS },
    seats: { type: 'string', default: RESERVATION_SEATS },
  },
});
const [requests, seats] = [Number(values.requests), Number(values.seats)];

// `exit` ends the processes that this one has started.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

console.log(`${requests} requests for ${seats} seats, over REST`);
const acts = await runShow({ database: databaseSettings(process.env), requests, seats, say: console.log });

console.log('');
console.table(Object.fromEntries(acts.map((act) => [act.name, row(act)])));
for (const { name, faults } of acts) {
  for (const fault of faults) console.log(`✗ ${name}: ${fault}`);
}
const wrong = acts.some(({ faults }) => faults.length > 0);
if (!wrong) console.log('✓ Each request has one answer, no seat is given twice, no user has two, the queue is empty');
process.exitCode = wrong ? 1 : 0;

function row({ ms, sentAgain, answers }: Act): Record<string, string | number> {
  const count = (wanted: ReservationAnswer['answer']): number =>
    [...answers.values()].flat().filter(({ answer }) => answer === wanted).length;
  return {
    seconds: (ms / 1000).toFixed(1),
    reserved: count('reserved'),
    'already reserved': count('already-reserved'),
    'sold out': count('sold-out'),
    'sent again': sentAgain,
  };
}
