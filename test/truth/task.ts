import type { Rule } from '../../src/services/planner/rules.js';
import type { Server } from './database.js';
import type { Hunt, HuntResult } from './hunt-mutant.js';
import type { ProfileResult, ProfileRun } from './run-profile.js';

/** What a worker process is given to do: plain data. Its result depends on nothing else. */
export type Task = ProfileTask | MutantTask;

export interface ProfileTask {
  kind: 'profile';
  profile: string;
  run: ProfileRun;
}

/** Hunts in one profile after the other; `hunt.operations` are for all of them. */
export interface MutantTask {
  kind: 'mutant';
  rule: Rule;
  profiles: readonly string[];
  hunt: Hunt;
}

export interface TaskResults {
  profile: ProfileResult;
  mutant: HuntResult[];
}

export type ToWorker = { server: Server; task: Task };

export type FromWorker =
  | { kind: 'progress'; operations: number }
  | { kind: 'result'; result: TaskResults[Task['kind']] }
  | { kind: 'failure'; message: string };
