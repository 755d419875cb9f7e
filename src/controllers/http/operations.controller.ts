import { Body, Controller, Delete, Get, HttpCode, HttpStatus, Param, Post, Query, Res } from '@nestjs/common';
import { ApiBody, ApiCreatedResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import type { ICreateBatchOperationResult, IPage } from '../../interfaces/operation.js';
import type { BulkActionKind, IBulkAction, IBulkActionCount } from '../../interfaces/bulk-action.js';
import type { IOperationsPlan } from '../../interfaces/plan.js';
import type { ICreateBatchOperationsResponse } from '../../interfaces/rpc.js';
import type { Access } from '../../services/access/access.js';
import { BulkActionsService } from '../../services/bulk-actions/bulk-actions.service.js';
import { ExplainService } from '../../services/explain/explain.service.js';
import { IntakeService } from '../../services/intake/intake.service.js';
import { OperationsService } from '../../services/outcomes/operations.service.js';
import type { GivenOperation } from '../../services/outcomes/to-operation.js';
import { CallerAccess } from '../caller-access.js';
import { OperationIdDto } from '../dto/ids.dto.js';
import { namedFieldsPipe, queryPipe } from '../pipes/validation.pipes.js';
import { RequireScope } from '../require-scope.js';
import { API_PREFIX } from './api-prefix.js';
import { ApiProblems, BODY_REFUSALS, NO_BODY_REFUSALS, OPERATION_REFUSALS } from './api-problems.js';
import { ApiBulkAction, BULK_DESCRIPTION } from './api-bulk-action.js';
import { CREATE_EXAMPLES, CREATE_MANY_EXAMPLES } from './create-examples.js';
import { CreateOperationDto, CreateOperationResultDto } from './dto/create-operation.dto.js';
import { CreateOperationsDto, CreateOperationsResponseDto, PlanOperationsDto } from './dto/create-operations.dto.js';
import { OperationDto, OperationPageDto } from './dto/operation.dto.js';
import { OperationsPlanDto } from './dto/plan.dto.js';
import { ListOperationsQueryDto, WaitQueryDto } from './dto/queries.dto.js';
import { PLAN_ANSWER_EXAMPLE, PLAN_EXAMPLES } from './plan-examples.js';

/** Operations over REST. Intake checks the contents of a request, for RPC and REST alike. */
@ApiTags('operations')
@Controller(`${API_PREFIX}/operations`)
export class OperationsController {
  constructor(
    private readonly intake: IntakeService,
    private readonly explainer: ExplainService,
    private readonly operations: OperationsService,
    private readonly bulkActions: BulkActionsService,
  ) {}

  @Post()
  @RequireScope('write')
  @ApiOperation({
    summary: 'Create an operation',
    description:
      'The answer comes when the operation is durable. A second request with the same id and body is the same operation.',
  })
  @ApiBody({ type: CreateOperationDto, examples: CREATE_EXAMPLES })
  @ApiCreatedResponse({
    type: CreateOperationResultDto,
    description: 'The operation is stored.',
    headers: { Location: { description: 'Where to read the operation.', schema: { type: 'string' } } },
  })
  @ApiOkResponse({ type: CreateOperationResultDto, description: 'It existed already.' })
  @ApiProblems(...OPERATION_REFUSALS, ...BODY_REFUSALS)
  async create(
    @Body() request: unknown,
    @CallerAccess() access: Access,
    @Res({ passthrough: true }) response: Response,
  ): Promise<ICreateBatchOperationResult> {
    const result = await this.intake.accept(request, access);
    response.status(result.created ? HttpStatus.CREATED : HttpStatus.OK);
    response.location(`/${API_PREFIX}/operations/${result.id}`);
    return result;
  }

  @Post('bulk')
  @RequireScope('write')
  @HttpCode(HttpStatus.OK)
  @ApiOperation({
    summary: 'Create many operations',
    description:
      'At most 10 000. The answers have the same order. A bad entry does not affect the others, and its answer is its error.',
  })
  @ApiBody({ type: CreateOperationsDto, examples: CREATE_MANY_EXAMPLES })
  @ApiOkResponse({ type: CreateOperationsResponseDto })
  @ApiProblems('INVALID_REQUEST', 'TOO_MANY_OPERATIONS', 'QUEUE_FULL', 'LANE_BUSY', ...BODY_REFUSALS)
  createMany(@Body() request: unknown, @CallerAccess() access: Access): Promise<ICreateBatchOperationsResponse> {
    return this.intake.acceptMany(request, access);
  }

  // The answer shows values of rows for which operations would wait. A caller that may write can find them by writing.
  @Post('plan')
  @RequireScope('write')
  @HttpCode(HttpStatus.OK)
  @ApiOperation({
    summary: 'Explain how operations would be grouped',
    description:
      'At most as many as `BATCH_PLAN_OPERATION_LIMIT` allows. Nothing is executed, stored or locked: the answer shows the groups that these operations would make if ' +
      'they were alone in the queue and due, the SQL of each group, and why an operation could not join an earlier one. ' +
      'The answer for an entry that would be refused is its error.',
  })
  @ApiBody({ type: PlanOperationsDto, examples: PLAN_EXAMPLES })
  @ApiOkResponse({ type: OperationsPlanDto, example: PLAN_ANSWER_EXAMPLE })
  @ApiProblems('INVALID_REQUEST', 'TOO_MANY_OPERATIONS', ...BODY_REFUSALS)
  plan(@Body() request: unknown, @CallerAccess() access: Access): Promise<IOperationsPlan> {
    return this.explainer.explain(request, access);
  }

  @Get()
  @RequireScope('read')
  @ApiOperation({ summary: 'List operations, newest first' })
  @ApiOkResponse({ type: OperationPageDto })
  @ApiProblems('INVALID_REQUEST')
  list(
    @Query(queryPipe) query: ListOperationsQueryDto,
    @CallerAccess() access: Access,
  ): Promise<IPage<GivenOperation>> {
    return this.operations.list(query, access);
  }

  @Post('retries')
  @RequireScope('write')
  @HttpCode(HttpStatus.ACCEPTED)
  @ApiOperation({
    summary: 'Retry all failed operations that match a filter',
    description: `They are pending again, at their old places in the order. Without a status in the filter, failed operations are meant. ${BULK_DESCRIPTION}`,
  })
  @ApiBulkAction()
  retryAll(
    @Body() request: unknown,
    @CallerAccess() access: Access,
    @Res({ passthrough: true }) response: Response,
  ): Promise<IBulkActionCount | IBulkAction> {
    return this.requestBulk('retry', request, access, response);
  }

  @Post('cancellations')
  @RequireScope('write')
  @HttpCode(HttpStatus.ACCEPTED)
  @ApiOperation({
    summary: 'Cancel all waiting operations that match a filter',
    description: `Pending and scheduled ones, unless the filter has a status. ${BULK_DESCRIPTION}`,
  })
  @ApiBulkAction()
  cancelAll(
    @Body() request: unknown,
    @CallerAccess() access: Access,
    @Res({ passthrough: true }) response: Response,
  ): Promise<IBulkActionCount | IBulkAction> {
    return this.requestBulk('cancel', request, access, response);
  }

  @Post('erasures')
  @RequireScope('admin')
  @HttpCode(HttpStatus.ACCEPTED)
  @ApiOperation({
    summary: 'Erase the values of all settled operations that match a filter',
    description:
      'Their key and values are gone for good, and what else may quote them: the messages of failures, and the plans of their chunks. ' +
      `The records stay, and cannot be retried. ${BULK_DESCRIPTION}`,
  })
  @ApiBulkAction()
  eraseAll(
    @Body() request: unknown,
    @CallerAccess() access: Access,
    @Res({ passthrough: true }) response: Response,
  ): Promise<IBulkActionCount | IBulkAction> {
    return this.requestBulk('erase', request, access, response);
  }

  @Get(':id')
  @RequireScope('read')
  @ApiOperation({
    summary: 'Read an operation and its result',
    description: 'With `wait`, the answer comes as soon as it is completed, failed or cancelled.',
  })
  @ApiOkResponse({ type: OperationDto })
  @ApiProblems('INVALID_ID', 'INVALID_REQUEST', 'OPERATION_NOT_FOUND')
  get(
    @Param(namedFieldsPipe) { id }: OperationIdDto,
    @Query(queryPipe) { wait }: WaitQueryDto,
    @CallerAccess() access: Access,
  ): Promise<GivenOperation> {
    return wait === undefined || wait === 0 ? this.operations.get(id, access) : this.operations.wait(id, wait, access);
  }

  @Delete(':id')
  @RequireScope('write')
  @ApiOperation({ summary: 'Cancel an operation that is pending or scheduled' })
  @ApiOkResponse({ type: OperationDto })
  @ApiProblems('ORIGIN_NOT_ALLOWED', 'INVALID_ID', 'OPERATION_NOT_FOUND', 'NOT_CANCELLABLE', 'LANE_BUSY')
  cancel(@Param(namedFieldsPipe) { id }: OperationIdDto, @CallerAccess() access: Access): Promise<GivenOperation> {
    return this.operations.cancel(id, access);
  }

  @Post(':id/retries')
  @RequireScope('write')
  @HttpCode(HttpStatus.OK)
  @ApiOperation({
    summary: 'Retry an operation that failed or was cancelled',
    description: 'It is pending again, at its old place in the order.',
  })
  @ApiOkResponse({ type: OperationDto })
  @ApiProblems('INVALID_ID', 'OPERATION_NOT_FOUND', 'NOT_RETRYABLE', 'LANE_BUSY', ...NO_BODY_REFUSALS)
  retry(@Param(namedFieldsPipe) { id }: OperationIdDto, @CallerAccess() access: Access): Promise<GivenOperation> {
    return this.operations.retry(id, access);
  }

  /** 202: it goes on after the answer. */
  private async requestBulk(
    action: BulkActionKind,
    request: unknown,
    access: Access,
    response: Response,
  ): Promise<IBulkActionCount | IBulkAction> {
    const answer = await this.bulkActions.request(action, request, access);
    const goesOn = !('dryRun' in answer) && answer.status === 'running';
    response.status(goesOn ? HttpStatus.ACCEPTED : HttpStatus.OK);
    if (!('dryRun' in answer)) response.location(`/${API_PREFIX}/bulk-actions/${answer.id}`);
    return answer;
  }
}
