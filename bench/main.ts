import { Logger } from '@nestjs/common';
import { InvalidRunError } from './contest/invalid-run.error.js';
import { readOptions, UsageError, USAGE, type BenchOptions } from './options.js';
import { printReport } from './report/print-report.js';
import { writeReport } from './report/write-report.js';
import { runBench } from './run-bench.js';

const USAGE_FAULT = 2;
const INTERRUPTED = 130;

// Node runs it directly: with tsx in front, a signal would end it before it has cleaned up.
// The parts of the service that fill queues log nothing here.
Logger.overrideLogger(['error']);
const interruption = new AbortController();
process.on('SIGINT', () => interruption.abort()).on('SIGTERM', () => interruption.abort());
// Ends the run like an interruption, so that no server stays.
let fault: unknown;
process.on('uncaughtException', (error) => {
  fault ??= error;
  interruption.abort();
});
try {
  const options = readOptions(process.argv.slice(2));
  if (options === undefined) say(USAGE);
  else await measureAndReport(options);
} catch (error) {
  if (fault !== undefined) {
    process.exitCode = 1;
    complain(`Nobody caught this exception: ${describe(fault)}`);
  } else if (interruption.signal.aborted) {
    process.exitCode = INTERRUPTED;
    say('Interrupted');
  } else if (error instanceof UsageError) {
    process.exitCode = USAGE_FAULT;
    complain(`${error.message}\n--help lists the options`);
  } else {
    process.exitCode = 1;
    complain(error instanceof InvalidRunError ? `This run is invalid. ${error.message}` : describe(error));
  }
}

async function measureAndReport(options: BenchOptions): Promise<void> {
  const report = await runBench(options, say, interruption.signal);
  printReport(report, say);
  const files = await writeReport(report, options.out, options.dated);
  say(`\nWrote ${files.join(', ')} to ${options.out}`);
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function complain(line: string): void {
  process.stderr.write(`${line}\n`);
}
