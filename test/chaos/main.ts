import { writeFile } from 'node:fs/promises';
import { Logger } from '@nestjs/common';
import { readOptions, UsageError, USAGE, type CommandOptions } from './options.js';
import { reportRun, toJson, violated } from './report.js';
import { runChaos, type ChaosProgress, type ChaosResult } from './run-chaos.js';
import { isCaught, SABOTAGES, withSabotage, type SabotageName } from './sabotage.js';
import { provideSurroundings, type Surroundings } from './servers/surroundings.js';
import { weaknessesOf } from './weaknesses.js';

const USAGE_FAULT = 2;
const INTERRUPTED = 130;
/** When everything is closed, the process ends by itself. What keeps it alive for longer is named. */
const ENDS_WITHIN_MS = 30_000;

// The fault bench. It promises that what it calls a violation is one: everything is judged by the callers' own memory of what was
// acknowledged. Run by Node itself: the program tsx in front of it would end it before it has cleaned up. `.ci/run` has its quick form.
// The client's own connection is told of by Nest.
Logger.overrideLogger(false);
const interruption = new AbortController();
process.on('SIGINT', () => interruption.abort()).on('SIGTERM', () => interruption.abort());
// Ends the run as an interruption does, so that no process is left behind.
let fault: unknown;
process.on('uncaughtException', (error) => {
  fault ??= error;
  interruption.abort();
});
try {
  const options = readOptions(process.argv.slice(2));
  if (options === undefined) print(USAGE);
  else process.exitCode = (await runAll(options)) ? 0 : 1;
} catch (error) {
  if (fault !== undefined) {
    process.exitCode = 1;
    process.stderr.write(`Nobody caught this exception: ${describe(fault)}\n`);
  } else if (interruption.signal.aborted) {
    print('Interrupted');
    process.exitCode = INTERRUPTED;
  } else {
    process.exitCode = error instanceof UsageError ? USAGE_FAULT : 1;
    process.stderr.write(
      `${error instanceof UsageError ? `${error.message}\n--help lists the options` : describe(error)}\n`,
    );
  }
}
setTimeout(() => {
  process.stderr.write(`Ended though something is still open: ${process.getActiveResourcesInfo().join(', ')}\n`);
  process.exit();
}, ENDS_WITHIN_MS).unref();

async function runAll(options: CommandOptions): Promise<boolean> {
  const surroundings = await provideSurroundings(print, options.dist);
  try {
    print(`${surroundings.postgres.description}\n${surroundings.rabbitmq.description}`);
    return await runEach(options, surroundings);
  } finally {
    await surroundings.close();
  }
}

async function runEach({ run, negative, json }: CommandOptions, surroundings: Surroundings): Promise<boolean> {
  const results: object[] = [];
  let good = true;
  for (const name of negative.length === 0 ? [undefined] : negative) {
    print(`\nSeed ${run.seed}${name === undefined ? '' : `, without a protection: ${name}`}`);
    const result = await runChaos(withSabotage(run, name), surroundings, showProgress(), interruption.signal);
    print(reportRun(result));
    const { passed, told } = verdictOf(result, name);
    print(told);
    results.push({ ...(name !== undefined && { without: name }), ...run, ...toJson(result), passed });
    good &&= passed;
  }
  if (json !== undefined) await writeFile(json, `${JSON.stringify(results, undefined, 2)}\n`);
  return good;
}

function verdictOf(result: ChaosResult, name: SabotageName | undefined): { passed: boolean; told: string } {
  if (name !== undefined) {
    return isCaught(name, result)
      ? { passed: true, told: `Caught: ${name}` }
      : { passed: false, told: `NOT CAUGHT: ${name} has to show as ${SABOTAGES[name].shows.join(' or ')}` };
  }
  if (violated(result).length > 0) return { passed: false, told: 'VIOLATED' };
  const weaknesses = weaknessesOf(result);
  if (weaknesses.length > 0) return { passed: false, told: `SHOWS TOO LITTLE: ${weaknesses.join('; ')}` };
  return { passed: true, told: 'Nothing was violated' };
}

/** A line that is written over at a terminal; elsewhere one for every tenth of the faults. */
function showProgress(): (progress: ChaosProgress) => void {
  let shown = 0;
  return ({ faults, ofFaults, handedOver }) => {
    const line = `${faults} of ${ofFaults} faults, ${handedOver} operations`;
    if (process.stdout.isTTY) {
      process.stdout.write(`\r\x1b[K${line}${faults === ofFaults ? '\n' : ''}`);
    } else if (faults === ofFaults || faults >= shown + ofFaults / 10) {
      shown = faults;
      print(line);
    }
  };
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
