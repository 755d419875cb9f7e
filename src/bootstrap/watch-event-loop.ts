import { url as inspectorUrl } from 'node:inspector';
import { Worker } from 'node:worker_threads';

/** How often within the time-out the thread checks whether the event loop has turned. */
const LOOKS = 10;

/** Places in the memory that both threads share. */
const TURNS = 0;
const INSPECTED = 1;
/** Nobody writes to this place, so waiting for it is a pause. */
const PAUSE = 2;

/**
 * It runs in its own thread, which has no event loop to be blocked. It is text, so that it is the same with and without
 * compilation. It counts its own checks and not time: a process that was stopped, or a machine that slept, is not at
 * fault.
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
  // The first process of a container survives every signal from inside it, but not a trap of its own.
  require('node:v8').setFlagsFromString('--allow-natives-syntax');
  new Function('%SystemBreak()')();
`;

/**
 * Ends the process, with one line to stderr, when its event loop does not turn for `timeoutMs`. A supervisor then
 * starts another one. Such a process answers nobody, and the broker would not deliver its messages to others. It does
 * not act while an inspector is open, because a debugger halts the loop. It costs a thread: 7 to 9 MB.
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
