import type { Server } from './database.js';
import { readTruthOptions, TRUTH_USAGE, type TruthOptions } from './options.js';
import { print, runProgram } from './program.js';
import { profileNamed } from './profiles/profiles.js';
import { showProgress, type Progress } from './progress.js';
import { reportProfiles, type ProfileLine } from './report.js';
import type { ProfileResult } from './run-profile.js';
import { add, EMPTY, weaknessesOf } from './tally.js';
import type { ProfileTask } from './task.js';
import { runTasks } from './worker-pool.js';

// The differential test: operations as the service groups them, against the same ones executed one by one. It promises to run
// the same sequences for the same seed and number of workers, and to show what differs as small as it gets. `npm test`
// runs short forms of it: `test/integration/serial-truth.test.ts` and `truth-program.test.ts`.
await runProgram(TRUTH_USAGE, readTruthOptions, runTruth);

async function runTruth(options: TruthOptions, server: Server, signal: AbortSignal): Promise<boolean> {
  print(`Seed ${options.seed}, ${options.workers} workers, ${options.profiles.length} profiles`);
  const startedAt = performance.now();
  const progress = showProgress(process.stdout, options.operations);
  const results = new Map<string, ProfileResult[]>(options.profiles.map((name) => [name, []]));
  try {
    await runTasks(
      tasksOf(options),
      options.workers,
      server,
      {
        onProgress: (operations) => progress.add(operations),
        onResult: (task, result) => {
          results.get(task.profile)!.push(result);
          sayDivergence(progress, task, result);
        },
      },
      signal,
    );
  } finally {
    progress.stop();
  }
  return conclude(
    [...results].map(([profile, shares]) => lineOf(profile, shares)),
    startedAt,
  );
}

/** Each worker would have its share of every profile; who does which depends on who is free. */
function tasksOf({ operations, profiles, workers, seed, length, replay, without }: TruthOptions): ProfileTask[] {
  if (replay !== undefined) {
    const { share, path } = replay;
    return profiles.map((profile) => ({
      kind: 'profile',
      profile,
      run: { seed, share, path, length, operations: 1, without },
    }));
  }
  const each = Math.ceil(operations / profiles.length / workers);
  return profiles.flatMap((profile) =>
    Array.from({ length: workers }, (_, index): ProfileTask => {
      return { kind: 'profile', profile, run: { seed, share: index + 1, length, operations: each, without } };
    }),
  );
}

function sayDivergence(progress: Progress, { profile, run }: ProfileTask, { divergence }: ProfileResult): void {
  if (divergence === undefined) return;
  const { length, without = [] } = run;
  const again = [
    `--seed ${run.seed} --profile ${profile} --path ${divergence.path}`,
    ...(length === undefined ? [] : [`--length ${length.min}-${length.max}`]),
    ...without.map((rule) => `--without '${rule}'`),
  ].join(' ');
  progress.say(`\nDIVERGENCE in ${profile}: ${divergence.described}\nAgain: npm run truth -- ${again}\n`);
}

function lineOf(profile: string, shares: readonly ProfileResult[]): ProfileLine {
  return {
    profile,
    tally: shares.map(({ tally }) => tally).reduce(add, EMPTY),
    divergences: shares.filter(({ divergence }) => divergence !== undefined).length,
  };
}

function conclude(lines: readonly ProfileLine[], startedAt: number): boolean {
  const weaknesses = lines.flatMap(({ profile, tally }) =>
    weaknessesOf(profileNamed(profile), tally).map((weakness) => `${profile} shows too little: ${weakness}`),
  );
  const divergences = lines.reduce((sum, line) => sum + line.divergences, 0);
  print(reportProfiles(lines));
  for (const weakness of weaknesses) print(weakness);
  print(`${divergences} divergences, ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
  return divergences === 0 && weaknesses.length === 0;
}
