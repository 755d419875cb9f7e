import { url as inspectorUrl } from 'node:inspector';
import { Worker } from 'node:worker_threads';

/** So often within the time-out it is looked whether the event loop has turned. */
const LOOKS = 10;

/** Places in the memory that both threads see. */
const TURNS = 0;
const INSPECTED = 1;
/** Nobody ever writes to it: waiting for it is a pause. */
const PAUSE = 2;

/**
 * Runs in a thread of its own, which has no event loop to be blocked: as text, so that it is the same compiled and not. It counts its own
 * looks and no time, because a process that was stopped or a machine that slept has done nothing wrong.
 */
const WATCH = `
  const { workerData: { shared, pauseMs, looks, farewell } } = require('node:worker_threads');
  const pause = (ms) => Atomics.wait(shared, ${PAUSE}, 0, ms);
  for (let seen = -1, still = 0; still < looks; ) {
    pause(pauseMs);
    const turns = Atomics.load(shared, ${TURNS});
    still = turns === seen && Atomics.load(shared, ${INSPECTED}) === 0 ? still + 1 : 0;
    seen = turns;
  }
  try {
    require('node:fs').writeSync(2, farewell);
  } catch {}
  process.kill(process.pid, 'SIGKILL');
  pause(1000);
  // The first process of a container outlives every signal from inside of it, but no trap of its own.
  require('node:v8').setFlagsFromString('--allow-natives-syntax');
  new Function('%SystemBreak()')();
`;

/**
 * Ends the process when its event loop does not turn for `timeoutMs`, with one line to stderr, so that a supervisor starts another one:
 * it would answer nobody any more, and the broker would not deliver to others what it has. Not while an inspector is open, as a
 * debugger halts the loop. Costs a thread: 7 to 9 MB.
 */
export function watchEventLoop(timeoutMs: number, onFailure: (error: Error) => void): void {
  const shared = new Int32Array(new SharedArrayBuffer(3 * Int32Array.BYTES_PER_ELEMENT));
  const pauseMs = timeoutMs / LOOKS;
  const farewell = `The event loop of process ${process.pid} stood still for ${timeoutMs} ms (BATCH_HANG_TIMEOUT): the process is ended\n`;
  const worker = new Worker(WATCH, {
    eval: true,
    workerData: { shared, pauseMs, looks: LOOKS, farewell },
    execArgv: [],
    env: {},
  });
  worker.on('error', onFailure);
  worker.unref();
  setInterval(() => {
    Atomics.store(shared, INSPECTED, inspectorUrl() === undefined ? 0 : 1);
    Atomics.add(shared, TURNS, 1);
  }, pauseMs).unref();
}
