import { inspect } from 'node:util';
import { Logger } from '@nestjs/common';
import type { DatabaseConnection } from '../support/test-databases.js';
import { createTruthDatabase, withProfile } from './database.js';
import { huntMutant, type HuntResult } from './hunt-mutant.js';
import { profileNamed } from './profiles/profiles.js';
import { runProfile, type ProfileResult } from './run-profile.js';
import type { FromWorker, MutantTask, ProfileTask, Task, ToWorker } from './task.js';

const PROGRESS_EVERY_MS = 250;

Logger.overrideLogger(false);

let database: Promise<DatabaseConnection> | undefined;

// A process of its own that does one task after the other, until its parent lets go of it.
process.on('message', ({ server, task }: ToWorker) => void serve((database ??= createTruthDatabase(server)), task));
process.on('disconnect', () => process.exit());
// The parent tells what to stop.
process.on('SIGINT', () => undefined);

async function serve(opening: Promise<DatabaseConnection>, task: Task): Promise<void> {
  const progress = gather();
  try {
    const connection = await opening;
    const result =
      task.kind === 'profile'
        ? await runTask(connection, task, progress.add)
        : await huntTask(connection, task, progress.add);
    progress.flush();
    send({ kind: 'result', result });
  } catch (error) {
    send({ kind: 'failure', message: inspect(error) });
  }
}

function runTask(
  connection: DatabaseConnection,
  { profile, run }: ProfileTask,
  onProgress: (n: number) => void,
): Promise<ProfileResult> {
  const chosen = profileNamed(profile);
  return withProfile(connection, chosen, (oracle) => runProfile(oracle, chosen, run, onProgress));
}

async function huntTask(
  connection: DatabaseConnection,
  { rule, profiles, hunt }: MutantTask,
  onProgress: (n: number) => void,
): Promise<HuntResult[]> {
  const results: HuntResult[] = [];
  let { operations } = hunt;
  for (const [index, name] of profiles.entries()) {
    const profile = profileNamed(name);
    // What one profile did not need goes to the next.
    const budget = Math.ceil(operations / (profiles.length - index));
    const found = await withProfile(connection, profile, (oracle) =>
      huntMutant(oracle, profile, rule, { ...hunt, operations: budget }, onProgress),
    );
    results.push(found);
    operations -= found.operations;
  }
  return results;
}

/** One message now and then, not one a sequence. */
function gather(): { add: (operations: number) => void; flush: () => void } {
  let operations = 0;
  let sentAt = performance.now();
  const flush = (): void => {
    send({ kind: 'progress', operations });
    operations = 0;
    sentAt = performance.now();
  };
  const add = (more: number): void => {
    operations += more;
    if (performance.now() - sentAt > PROGRESS_EVERY_MS) flush();
  };
  return { add, flush };
}

function send(message: FromWorker): void {
  process.send?.(message);
}
