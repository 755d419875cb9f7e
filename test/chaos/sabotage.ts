import { join } from 'node:path';
import type { ViolationKind } from './judge/violation.js';
import { violated } from './report.js';
import type { ChaosOptions, ChaosResult } from './run-chaos.js';

interface Sabotage {
  /** A module that takes the protection away, loaded by every process before the service. None: the callers lack it. */
  module?: string;
  /** By which it has to be caught, one of them at least. */
  shows: readonly ViolationKind[];
}

/** Each takes away one thing that the promises rest on. What is left must not look good. */
export const SABOTAGES = {
  /** The end of a chunk is committed before its effects. */
  'settle-outside': { module: 'settle-outside.mjs', shows: ['lost'] },
  /** Rows are shared out by `skip locked`, as most queues do it, instead of lanes. */
  'no-lanes': { module: 'no-lanes.mjs', shows: ['out of order'] },
  /** A request is answered before it is stored. */
  'acknowledge-early': { module: 'acknowledge-early.mjs', shows: ['lost'] },
  /** Chunks are marked as notified before their messages are published. */
  'mark-before-publish': { module: 'mark-before-publish.mjs', shows: ['unnotified'] },
  /** An event that cannot be stored for now is tried again later, and those behind it go on meanwhile. */
  'overtake-events': { module: 'overtake-events.mjs', shows: ['out of order', 'wrong verdict'] },
  /** What is sent again gets a new id. */
  'new-ids': { shows: ['doubled'] },
} as const satisfies Record<string, Sabotage>;

export type SabotageName = keyof typeof SABOTAGES;

/** The options of a run without this protection; as they are without a name. */
export function withSabotage(
  options: Omit<ChaosOptions, 'preload' | 'forgetsIds'>,
  name: SabotageName | undefined,
): ChaosOptions {
  if (name === undefined) return { ...options, forgetsIds: false };
  const { module }: Sabotage = SABOTAGES[name];
  if (module === undefined) return { ...options, forgetsIds: true };
  return { ...options, forgetsIds: false, preload: join(import.meta.dirname, 'sabotage', module) };
}

/** A service that executes nothing says nothing of the protection: the sabotage has broken it. */
export function isCaught(name: SabotageName, result: Pick<ChaosResult, 'verdict' | 'chunks'>): boolean {
  const shows: readonly ViolationKind[] = SABOTAGES[name].shows;
  return result.chunks > 0 && violated(result).some((kind) => shows.includes(kind));
}
