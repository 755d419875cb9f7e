import { originalsOf } from '../../src/services/planner/plan.js';
import type { Comparison } from '../support/serial-oracle.js';
import { expectationOf, type Profile } from './profile.js';

/** What was executed, as plain numbers. */
export interface Tally {
  sequences: number;
  operations: number;
  /** Sequences that were not comparable: see `Profile.draws`. */
  passedOver: number;
  groups: number;
  /** Operations that went into another one. */
  folded: number;
  failed: number;
  /** Operations that succeeded and changed nothing. */
  idle: number;
  fallbacks: number;
}

export const EMPTY: Readonly<Tally> = {
  sequences: 0,
  operations: 0,
  passedOver: 0,
  groups: 0,
  folded: 0,
  failed: 0,
  idle: 0,
  fallbacks: 0,
};

export function count({ grouped, serial }: Comparison, passedOver: boolean): Tally {
  const planned = grouped.plan.groups.flatMap(({ operations }) => operations);
  return {
    sequences: 1,
    operations: serial.outcomes.length,
    passedOver: Number(passedOver),
    groups: grouped.plan.groups.length,
    folded: planned.reduce((folded, operation) => folded + originalsOf(operation).length - 1, 0),
    failed: serial.execution.outcomes.filter(({ status }) => status === 'failed').length,
    idle: serial.outcomes.filter((outcome) => outcome === 'ok 0').length,
    fallbacks: Number(grouped.execution.fallback),
  };
}

export function add(one: Tally, other: Tally): Tally {
  const names = Object.keys(EMPTY) as (keyof Tally)[];
  return Object.fromEntries(names.map((name) => [name, one[name] + other[name]])) as unknown as Tally;
}

/** Fewer operations say nothing about shares. */
const ENOUGH_OPERATIONS = 500;

/** Why a run of the profile would not have shown much, in words. */
export function weaknessesOf(profile: Profile, tally: Tally): string[] {
  if (tally.operations < ENOUGH_OPERATIONS) return [];
  const expected = expectationOf(profile);
  const perGroup = tally.operations / tally.groups;
  const failed = tally.failed / tally.operations;
  const changing = 1 - failed - tally.idle / tally.operations;
  const passedOver = tally.passedOver / tally.sequences;
  const folded = tally.folded / tally.operations;
  return [
    perGroup < expected.perGroup && `${perGroup.toFixed(2)} operations per group, fewer than ${expected.perGroup}`,
    failed < expected.failed.least && `${percent(failed)} fail, fewer than ${percent(expected.failed.least)}`,
    failed > expected.failed.most && `${percent(failed)} fail, more than ${percent(expected.failed.most)}`,
    changing < expected.changing && `${percent(changing)} change a row, fewer than ${percent(expected.changing)}`,
    folded < expected.folded && `${percent(folded)} are folded, fewer than ${percent(expected.folded)}`,
    passedOver > expected.passedOver && `${percent(passedOver)} of the sequences were passed over`,
  ].filter((weakness) => weakness !== false);
}

export const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;
