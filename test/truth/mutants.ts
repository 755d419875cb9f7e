import type { Rule } from '../../src/services/planner/rules.js';
import type { Server } from './database.js';
import { WANTED_KILLS, type HuntResult } from './hunt-mutant.js';
import { MUTANTS_USAGE, readMutantOptions, type MutantOptions } from './options.js';
import { print, runProgram } from './program.js';
import { PROFILES } from './profiles/profiles.js';
import { showProgress } from './progress.js';
import { table } from './report.js';
import type { MutantTask } from './task.js';
import { runTasks } from './worker-pool.js';

// The test of the test: a planner without one of its rules has to be found out by the profiles that name the rule.
await runProgram(MUTANTS_USAGE, readMutantOptions, runMutants);

async function runMutants(options: MutantOptions, server: Server, signal: AbortSignal): Promise<boolean> {
  print(`Seed ${options.seed}, ${options.workers} workers, ${options.rules.length} rules`);
  const startedAt = performance.now();
  const progress = showProgress(process.stdout, options.operations * options.rules.length);
  const results = new Map<Rule, readonly HuntResult[]>();
  try {
    await runTasks(
      options.rules.map((rule) => taskOf(rule, options)),
      options.workers,
      server,
      {
        onProgress: (operations) => progress.add(operations),
        onResult: ({ rule }, result) => void results.set(rule, result),
      },
      signal,
    );
  } finally {
    progress.stop();
  }
  return conclude(options.rules, results, startedAt);
}

function taskOf(rule: Rule, { operations, seed }: MutantOptions): MutantTask {
  const profiles = PROFILES.filter(({ rules }) => rules.includes(rule)).map(({ name }) => name);
  return { kind: 'mutant', rule, profiles, hunt: { seed, operations, kills: WANTED_KILLS } };
}

function conclude(
  rules: readonly Rule[],
  results: ReadonlyMap<Rule, readonly HuntResult[]>,
  startedAt: number,
): boolean {
  const rows = rules.flatMap((rule) =>
    results.get(rule)!.map(({ profile, sequences, operations, kills, first }) => {
      return [rule, profile, String(sequences), String(operations), String(kills), first ?? ''];
    }),
  );
  print(table([['without', 'profile', 'sequences', 'operations', 'killed by', 'for example'], ...rows], [0, 1, 5]));
  for (const rule of rules) {
    const idle = results.get(rule)!.filter(({ kills }) => kills === 0);
    if (idle.length > 0) print(`'${rule}' is not missed in ${idle.map(({ profile }) => profile).join(', ')}`);
  }
  const survivors = rules
    .map((rule) => ({ rule, kills: results.get(rule)!.reduce((sum, { kills }) => sum + kills, 0) }))
    .filter(({ kills }) => kills < WANTED_KILLS);
  for (const { rule, kills } of survivors) {
    print(`The rule '${rule}' is missed by ${kills} sequences only; ${WANTED_KILLS} are wanted`);
  }
  print(
    `${rules.length - survivors.length} of ${rules.length} rules, ${((performance.now() - startedAt) / 1000).toFixed(1)} s`,
  );
  return survivors.length === 0;
}
