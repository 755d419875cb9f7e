import { ApiExtraModels, ApiProperty, ApiPropertyOptional, getSchemaPath } from '@nestjs/swagger';
import {
  GROUP_KINDS,
  type GroupKind,
  type IGroup,
  type IOperationsPlan,
  type IPlanEntry,
  type IPlanGroup,
  type IPlanReason,
  type IPlanWait,
} from '../../../interfaces/plan.js';
import { RefusedEntryDto } from './create-operations.dto.js';

export class PlanWaitDto implements IPlanWait {
  @ApiProperty({ description: 'The earlier operation, by its index in the request.', example: 0 })
  operation!: number;

  @ApiProperty({ description: 'A rule of the planner, see `docs/serial-truth.md`.', example: 'same row' })
  rule!: string;

  @ApiProperty({ description: 'What both operations touch.', example: 'public.orders (id) = (4711)' })
  resource!: string;
}

export class PlanReasonDto extends PlanWaitDto implements IPlanReason {
  @ApiProperty({ description: 'The rule as a sentence.', example: 'operations on one row keep their order' })
  meaning!: string;
}

/** Fields that the groups of a plan and those of a chunk share. */
export class GroupDto implements Omit<IGroup, 'because'> {
  @ApiProperty({
    enum: GROUP_KINDS,
    description: "What the statement does; `ignore` is an insert with `onConflict: 'ignore'`.",
    example: 'update',
  })
  kind!: GroupKind;

  @ApiProperty({ example: 'public.orders' })
  target!: string;

  @ApiProperty({ type: [String], description: 'The columns by which rows are found.', example: ['id'] })
  keyColumns!: string[];

  @ApiProperty({ type: [String], description: 'The columns that are written.', example: ['status'] })
  valueColumns!: string[];

  @ApiProperty({
    description:
      'The statement. Its parameters are the sequence numbers of stored operations, and rows that are given in place of theirs.',
    example:
      'update "public"."orders" t set "status" = s.c1 from (select s.ord, (s.cells->>0)::integer as c0, (s.cells->>1)::text as c1 from batch.operation_rows($1, $2) s) s\n' +
      '  where t."id" = any (array[s.c0]) and (select count((s.c0, s.c1)) from (select s.ord, (s.cells->>0)::integer as c0, (s.cells->>1)::text as c1 from batch.operation_rows($1, $2) s offset 0) s) >= 0',
  })
  sql!: string;

  @ApiPropertyOptional({
    description: 'Why operations on this table are executed one by one. Absent for ordinary tables.',
    example: 'has the trigger orders_audit',
  })
  opaque?: string;
}

export class PlanGroupDto extends GroupDto implements IPlanGroup {
  @ApiProperty({ description: 'The chunk (transaction) that it belongs to, counted from 0.', example: 0 })
  chunk!: number;

  @ApiProperty({ type: [Number], description: 'Indexes into the operations of the request.', example: [1] })
  operations!: number[];

  @ApiProperty({
    type: 'array',
    items: { type: 'array', items: { type: 'integer' } },
    description: 'Operations among them that become one row of the statement.',
    example: [],
  })
  folded!: number[][];

  @ApiPropertyOptional({
    type: PlanReasonDto,
    description:
      'Why the operation that opened the group could not join the previous group of the same statement. Absent for the first one.',
  })
  because?: PlanReasonDto;
}

export class PlannedEntryDto {
  @ApiProperty({ description: 'Index into `groups`.', example: 1 })
  group!: number;

  @ApiPropertyOptional({
    type: PlanWaitDto,
    description: 'The last earlier operation that has to be executed before this one. Absent when there is none.',
  })
  waitsFor?: PlanWaitDto;
}

@ApiExtraModels(PlannedEntryDto, RefusedEntryDto)
export class OperationsPlanDto implements IOperationsPlan {
  @ApiProperty({
    enum: ['grouped', 'serial'],
    description: '`serial`: the service executes every operation alone, in order (`BATCH_EXECUTION_MODE`).',
    example: 'grouped',
  })
  mode!: 'grouped' | 'serial';

  @ApiProperty({
    description:
      'Transactions. Operations that do not fit into one (`BATCH_PROCESS_OPERATION_LIMIT`) are planned as several.',
    example: 1,
  })
  chunks!: number;

  @ApiProperty({ description: 'Statements that change the tables if none fails: one for each group.', example: 2 })
  statements!: number;

  @ApiProperty({
    description: 'In the order of the request.',
    type: 'array',
    items: { oneOf: [{ $ref: getSchemaPath(PlannedEntryDto) }, { $ref: getSchemaPath(RefusedEntryDto) }] },
  })
  operations!: IPlanEntry[];

  @ApiProperty({ type: [PlanGroupDto], description: 'In the order of execution.' })
  groups!: PlanGroupDto[];
}
