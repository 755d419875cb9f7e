import { join } from 'node:path';
import type { ViolationKind } from './judge/violation.js';
import { violated } from './report.js';
import type { ChaosOptions, ChaosResult } from './run-chaos.js';

interface Sabotage {
  /** A module that removes the protection; every process loads it before the service. None: the callers change. */
  module?: string;
  /** At least one of these violations must be found. */
  shows: readonly ViolationKind[];
}

/** Each removes one protection that the promises need. The run must then find violations. */
export const SABOTAGES = {
  /** The end of a chunk is committed before its effects. */
  'settle-outside': { module: 'settle-outside.mjs', shows: ['lost'] },
  /** Workers share rows by `skip locked`, as most queues do, instead of lanes. */
  'no-lanes': { module: 'no-lanes.mjs', shows: ['out of order'] },
  /** A request is answered before it is stored. */
  'acknowledge-early': { module: 'acknowledge-early.mjs', shows: ['lost'] },
  /** Chunks are marked as notified before their messages are published. */
  'mark-before-publish': { module: 'mark-before-publish.mjs', shows: ['unnotified'] },
  /** An event that cannot be stored now is tried again later, and later events do not wait for it. */
  'overtake-events': { module: 'overtake-events.mjs', shows: ['out of order', 'wrong verdict'] },
  /** A repeated request gets a new id. */
  'new-ids': { shows: ['doubled'] },
} as const satisfies Record<string, Sabotage>;

export type SabotageName = keyof typeof SABOTAGES;

/** The options of a run without this protection. Without a name they do not change. */
export function withSabotage(
  options: Omit<ChaosOptions, 'preload' | 'forgetsIds'>,
  name: SabotageName | undefined,
): ChaosOptions {
  if (name === undefined) return { ...options, forgetsIds: false };
  const { module }: Sabotage = SABOTAGES[name];
  if (module === undefined) return { ...options, forgetsIds: true };
  return { ...options, forgetsIds: false, preload: join(import.meta.dirname, 'sabotage', module) };
}

/** A run in which nothing was executed does not count: the sabotage has broken the service. */
export function isCaught(name: SabotageName, result: Pick<ChaosResult, 'verdict' | 'chunks'>): boolean {
  const shows: readonly ViolationKind[] = SABOTAGES[name].shows;
  return result.chunks > 0 && violated(result).some((kind) => shows.includes(kind));
}
