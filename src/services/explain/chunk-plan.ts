import type { IChunkPlan } from '../../interfaces/chunk.js';
import type { Plan } from '../planner/plan.js';
import type { ChunkPlan, ChunkPlanGroup, IsolationTrace } from '../queue/operation-record.js';
import type { Execution, GroupExecution } from '../executor/executor.service.js';
import { joinTraces } from '../executor/isolation-trace.js';
import { describePlan, type GroupDescription } from './describe-plan.js';

/** A limit, because a chunk of a thousand single operations has a thousand similar groups. */
const MAX_GROUPS = 50;
/** A limit, because a table has up to 1600 columns, and each group and each statement names them. */
const MAX_LENGTH = 64 * 1024;

/**
 * What is stored of an executed plan: how its bad operations were isolated, its first groups, each SQL text once, and
 * the ids of operations. Pure.
 */
export function toChunkPlan(
  plan: Plan,
  mode: ChunkPlan['mode'],
  { perGroup, isolation }: Pick<Execution, 'perGroup' | 'isolation'>,
): ChunkPlan {
  const sql: string[] = [];
  const groups: ChunkPlanGroup[] = [];
  let length = isolation === undefined ? 0 : JSON.stringify(isolation).length;
  for (const [index, description] of describePlan(plan, MAX_GROUPS).entries()) {
    const known = sql.indexOf(description.sql);
    const group = toKept(description, known < 0 ? sql.length : known, perGroup[index]!, plan);
    length += JSON.stringify(group).length + (known < 0 ? description.sql.length : 0);
    if (length > MAX_LENGTH) break;
    if (known < 0) sql.push(description.sql);
    groups.push(group);
  }
  const omitted = plan.groups.length - groups.length;
  return {
    ...{ mode, operations: plan.operations.length, sql, groups },
    ...(omitted > 0 && { omittedGroups: omitted }),
    ...(isolation && { isolation }),
  };
}

/**
 * What is stored of a plan whose operations were not read, and whose first try was undone as a whole. Its groups are not
 * kept, because the operations are planned anew. Pure.
 */
export function toUndonePlan(mode: ChunkPlan['mode'], isolation: IsolationTrace | undefined): ChunkPlan {
  const steps = isolation?.steps.map(({ group: _group, ...step }) => step);
  return {
    ...{ mode, operations: 0, sql: [], groups: [] },
    ...(isolation && steps && { isolation: { ...isolation, steps } }),
  };
}

/**
 * Joins the plans of two parts of a chunk, in the order of their execution. The groups that are kept stay the first
 * ones, so that the place of a group is its number. Pure.
 */
export function joinPlans(one: ChunkPlan, other: ChunkPlan): ChunkPlan {
  const rest = one.omittedGroups === undefined ? MAX_GROUPS - one.groups.length : 0;
  const groups = other.groups.slice(0, rest).map((group) => ({ ...group, sql: group.sql + one.sql.length }));
  const size = { operations: one.operations, groups: one.groups.length + (one.omittedGroups ?? 0) };
  const isolation = joinTraces(one.isolation, other.isolation, size);
  const omitted = (one.omittedGroups ?? 0) + (other.omittedGroups ?? 0) + other.groups.length - groups.length;
  return {
    mode: one.mode,
    operations: one.operations + other.operations,
    sql: [...one.sql, ...other.sql],
    groups: [...one.groups, ...groups],
    ...(omitted > 0 && { omittedGroups: omitted }),
    ...(isolation && { isolation }),
  };
}

function toKept(
  { operations: members, folded, because, ...group }: GroupDescription,
  text: number,
  { statements, isolated }: GroupExecution,
  { operations }: Plan,
): ChunkPlanGroup {
  return {
    ...group,
    sql: text,
    operations: members.length,
    folded: folded.reduce((sum, { length }) => sum + length - 1, 0),
    ...(because !== undefined && {
      because: { ...because, operation: operations[because.operation]!.operation.id },
    }),
    statements,
    isolated,
  };
}

/** A stored plan in the form of an answer. Pure. */
export function toAnsweredPlan({ sql, groups, isolation: _isolation, ...plan }: ChunkPlan): IChunkPlan {
  return { ...plan, groups: groups.map((group) => ({ ...group, sql: sql[group.sql]! })) };
}
