import { cpus, totalmem } from 'node:os';
import { runCommand } from '../test/support/services/run-command.js';
import type { BenchReport, FigureResult } from './contest/contest.js';
import { runRace } from './contest/run-race.js';
import { runStudy } from './contest/run-study.js';
import type { Venue } from './contest/venue.js';
import { withCleanup } from './contest/with-cleanup.js';
import type { BenchOptions } from './options.js';
import { judgeTargets } from './report/judge-targets.js';
import { BenchVenue } from './stage/bench-venue.js';
import { startServers } from './stage/servers.js';

type Log = (line: string) => void;

/** Measures what is asked for, on servers of this run alone, which are gone when it ends. */
export async function runBench(options: BenchOptions, log: Log, signal: AbortSignal): Promise<BenchReport> {
  const startedAt = new Date();
  return withCleanup('This run', async (cleanup) => {
    const servers = await startServers(new Set(options.figures.flatMap((listed) => listed.servers)), log);
    cleanup.add('its servers', () => servers.close());
    for (const description of servers.descriptions) log(description);
    const figures = await measureAll(options, new BenchVenue(servers, log), log, signal);
    return {
      startedAt: startedAt.toISOString(),
      seconds: (Date.now() - startedAt.getTime()) / 1000,
      commit: await currentCommit(),
      machine: describeMachine(),
      servers: servers.descriptions,
      scale: options.scale,
      leftOut: options.leftOut,
      figures,
      verdicts: judgeTargets(figures),
    };
  });
}

async function measureAll(
  { figures, scale }: BenchOptions,
  venue: Venue,
  log: Log,
  signal: AbortSignal,
): Promise<FigureResult[]> {
  const results: FigureResult[] = [];
  for (const { figure } of figures) {
    log(`\n${figure.name}: ${figure.title}`);
    results.push(
      figure.kind === 'race'
        ? await runRace(figure, venue, scale, signal)
        : await runStudy(figure, venue, scale, results, signal),
    );
  }
  return results;
}

/** Undefined outside of a clone, or without git. */
async function currentCommit(): Promise<string | undefined> {
  return runCommand('git', ['-C', import.meta.dirname, 'rev-parse', 'HEAD']).catch(() => undefined);
}

function describeMachine(): BenchReport['machine'] {
  const processors = cpus();
  return {
    cpus: processors.length,
    model: processors[0]?.model ?? 'unknown',
    memoryGb: Math.round(totalmem() / 2 ** 30),
    node: process.versions.node,
    platform: `${process.platform} ${process.arch}`,
  };
}
