import { ApiExtraModels, getSchemaPath } from '@nestjs/swagger';
import {
  GROUP_KINDS,
  type IGroup,
  type IOperationsPlan,
  type IPlanGroup,
  type IPlanReason,
  type IPlanWait,
} from '../../../interfaces/plan.js';
import { UPDATE_EXAMPLE } from '../plan-examples.js';
import { RefusedEntryDto } from './create-operations.dto.js';
import { Fields } from './fields.js';

@Fields<IPlanWait>({
  operation: { description: 'The earlier operation, by its index in the request.', example: 0 },
  rule: { description: 'A rule of the planner, see `docs/serial-truth.md`.', example: 'same row' },
  resource: { description: 'What both operations touch.', example: 'public.orders (id) = (4711)' },
})
export class PlanWaitDto {}

@Fields<Pick<IPlanReason, 'meaning'>>({
  meaning: { description: 'The rule as a sentence.', example: 'operations on one row keep their order' },
})
export class PlanReasonDto extends PlanWaitDto {}

/** Fields that the groups of a plan and those of a chunk share. */
@Fields<Omit<IGroup, 'because'>>({
  kind: {
    enum: GROUP_KINDS,
    description: "What the statement does; `ignore` is an insert with `onConflict: 'ignore'`.",
    example: 'update',
  },
  target: { example: 'public.orders' },
  keyColumns: { type: [String], description: 'The columns by which rows are found.', example: ['id'] },
  valueColumns: { type: [String], description: 'The columns that are written.', example: ['status'] },
  sql: {
    description:
      'The statement. Its parameters are the sequence numbers of stored operations, and rows to use instead of the stored ones.',
    example: UPDATE_EXAMPLE.sql,
  },
  opaque: {
    optional: true,
    description: 'Why operations on this table are executed one by one. Absent for ordinary tables.',
    example: 'has the trigger orders_audit',
  },
})
export class GroupDto {}

@Fields<Omit<IPlanGroup, Exclude<keyof IGroup, 'because'>>>({
  chunk: { description: 'The chunk (transaction) that it belongs to, counted from 0.', example: 0 },
  operations: { type: [Number], description: 'Indexes into the operations of the request.', example: [1] },
  folded: {
    type: 'array',
    items: { type: 'array', items: { type: 'integer' } },
    description: 'Operations among them that become one row of the statement.',
    example: [],
  },
  because: {
    optional: true,
    type: PlanReasonDto,
    description:
      'Why the operation that opened the group could not join the previous group of the same statement. Absent for the first one.',
  },
})
export class PlanGroupDto extends GroupDto {}

@Fields<{ group: number; waitsFor?: IPlanWait }>({
  group: { description: 'Index into `groups`.', example: 1 },
  waitsFor: {
    optional: true,
    type: PlanWaitDto,
    description: 'The last earlier operation that has to be executed before this one. Absent when there is none.',
  },
})
export class PlannedEntryDto {}

@ApiExtraModels(PlannedEntryDto, RefusedEntryDto)
@Fields<IOperationsPlan>({
  mode: {
    enum: ['grouped', 'serial'],
    description: '`serial`: the service executes every operation alone, in order (`BATCH_EXECUTION_MODE`).',
    example: 'grouped',
  },
  chunks: {
    description:
      'Transactions. Operations that do not fit into one (`BATCH_PROCESS_OPERATION_LIMIT`) are planned as several.',
    example: 1,
  },
  statements: { description: 'Statements that change the tables if none fails: one for each group.', example: 2 },
  operations: {
    description: 'In the order of the request.',
    type: 'array',
    items: { oneOf: [{ $ref: getSchemaPath(PlannedEntryDto) }, { $ref: getSchemaPath(RefusedEntryDto) }] },
  },
  groups: { type: [PlanGroupDto], description: 'In the order of execution.' },
})
export class OperationsPlanDto {}
