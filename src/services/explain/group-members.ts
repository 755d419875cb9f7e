import { originalsOf, type Plan } from '../planner/plan.js';
import type { GroupMember } from '../queue/operation-record.js';

/** By sequence number. */
export type GroupMembers = ReadonlyMap<number, GroupMember>;

/**
 * Which operation is in which group of a plan. Pure.
 *
 * @param kept how many groups are kept. The operations of later groups are left out.
 */
export function toMembers({ operations, placements, groups }: Plan, kept: number): GroupMembers {
  const members = new Map<number, GroupMember>();
  for (const [index, { operation }] of operations.entries()) {
    const { group } = placements[index]!;
    if (group < kept) members.set(operation.seq, { group, folded: false });
  }
  for (const [group, { operations: rows }] of groups.slice(0, kept).entries()) {
    for (const row of rows) {
      if (row.folded === undefined) continue;
      for (const { operation } of originalsOf(row)) members.set(operation.seq, { group, folded: true });
    }
  }
  return members;
}

/**
 * Joins the members of two parts of a chunk. Pure.
 *
 * @param first how many groups of the first part are kept
 * @param kept how many of both
 */
export function joinMembers(one: GroupMembers, other: GroupMembers, first: number, kept: number): GroupMembers {
  const members = new Map(one);
  for (const [seq, { group, folded }] of other) {
    if (first + group < kept) members.set(seq, { group: first + group, folded });
  }
  return members;
}
