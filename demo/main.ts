import 'reflect-metadata';
import { existsSync } from 'node:fs';
import { styleText } from 'node:util';
import { loadSettings } from '../src/services/config/load-settings.js';
import { Cleanup } from '../test/support/cleanup.js';
import { grouped } from './numbers.js';
import { readOptions, USAGE, type DemoOptions } from './options.js';
import { showProgress } from './progress.js';
import { runDemo } from './run-demo.js';
import { summarise, type Paint } from './summary.js';

/** Under `npm run`, a Ctrl-C arrives twice: from the terminal and from npm. */
const SAME_KEYSTROKE_MS = 500;

class Interrupted extends Error {}

const paint: Paint = (style, text) => (process.stdout.isTTY && !process.env.NO_COLOR ? styleText(style, text) : text);
const width = Math.min(process.stdout.columns ?? 120, 150);
const say = (line: string): void => console.log(line);

process.exitCode = await main();

async function main(): Promise<number> {
  let options: DemoOptions;
  try {
    options = readOptions(process.argv.slice(2));
  } catch (error) {
    console.error(`${(error as Error).message}\n${USAGE}`);
    return 2;
  }
  const abort = new AbortController();
  const cleanup = new Cleanup();
  const progress = showProgress(process.stdout);
  abortOnSignals(abort);
  say(
    `${paint('bold', 'Batch Service')}: ${grouped(options.operations)} operations of a web shop (seed ${options.seed})\n`,
  );
  let status: number;
  try {
    if (existsSync('.env')) process.loadEnvFile('.env');
    const settings = loadSettings(process.env);
    const result = await runDemo({ options, settings, cleanup, progress, abort, say });
    progress.stop();
    say('');
    for (const line of summarise(result, paint, width)) say(line);
    status = result.differences.length === 0 ? 0 : 1;
  } catch (error) {
    progress.stop();
    const interrupted = error instanceof Interrupted;
    console.error(paint('red', interrupted ? '\nInterrupted; cleaning up' : `\n✗ ${(error as Error).message}`));
    status = interrupted ? 130 : 1;
  }
  const faults = await cleanup.run();
  for (const fault of faults) console.error(paint('red', `✗ ${fault}`));
  return status === 0 && faults.length > 0 ? 1 : status;
}

/** The first signal ends the demo and cleans up; a second one, later, ends the process at once. */
function abortOnSignals(abort: AbortController): void {
  let firstAt: number | undefined;
  const onSignal = (): void => {
    if (firstAt === undefined) {
      firstAt = performance.now();
      abort.abort(new Interrupted());
    } else if (performance.now() - firstAt > SAME_KEYSTROKE_MS) {
      process.exit(130);
    }
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
}
