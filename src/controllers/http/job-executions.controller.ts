import { Controller, Get, HttpCode, HttpStatus, Param, Post, Query } from '@nestjs/common';
import { ApiAcceptedResponse, ApiCreatedResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { JobExecution } from '../../batch/model/job-execution.js';
import { JobOperator } from '../../batch/operator/job-operator.js';
import { JobRepository } from '../../batch/repository/job-repository.js';
import type { AuditAct } from '../../interfaces/audit.js';
import type { IJobExecution, IJobExecutionDetail, ISkippedItem } from '../../interfaces/job.js';
import type { IPage } from '../../interfaces/operation.js';
import { callerName, type Access } from '../../services/access/access.js';
import { AuditService } from '../../services/audit/audit.service.js';
import { checkCursor, pageOf } from '../../services/outcomes/cursor.js';
import { CallerAccess } from '../caller-access.js';
import { JobExecutionIdDto } from '../dto/ids.dto.js';
import { namedFieldsPipe, queryPipe } from '../pipes/validation.pipes.js';
import { RequireScope } from '../require-scope.js';
import { API_PREFIX } from './api-prefix.js';
import { ApiProblems, NO_BODY_REFUSALS } from './api-problems.js';
import { JobExecutionDetailDto, JobExecutionDto, JobExecutionPageDto, SkippedItemPageDto } from './dto/job.dto.js';
import { PageQueryDto } from './dto/queries.dto.js';
import { toExecution, toExecutionDetail, toSkippedItem } from '../../jobs/job-answers.js';

const DEFAULT_LIMIT = 100;

/** Executions of all jobs, also of jobs that this process does not know. */
@ApiTags('jobs')
@Controller(`${API_PREFIX}/job-executions`)
export class JobExecutionsController {
  constructor(
    private readonly operator: JobOperator<unknown>,
    private readonly repository: JobRepository<unknown>,
    private readonly audit: AuditService,
  ) {}

  @Get()
  @RequireScope('read', { everyTarget: true })
  @ApiOperation({ summary: 'List the executions of all jobs, newest first' })
  @ApiOkResponse({ type: JobExecutionPageDto })
  @ApiProblems('INVALID_REQUEST')
  async list(@Query(queryPipe) { limit = DEFAULT_LIMIT, cursor }: PageQueryDto): Promise<IPage<IJobExecution>> {
    const before = checkCursor(cursor);
    const found = await this.repository.findExecutions({ limit, ...(before !== undefined && { before }) });
    return pageOf(found.map(toExecution), limit);
  }

  @Get(':id')
  @RequireScope('read', { everyTarget: true })
  @ApiOperation({ summary: 'Read an execution with its steps and their counters' })
  @ApiOkResponse({ type: JobExecutionDetailDto })
  @ApiProblems('INVALID_REQUEST', 'NO_SUCH_JOB_EXECUTION')
  async get(@Param(namedFieldsPipe) { id }: JobExecutionIdDto): Promise<IJobExecutionDetail> {
    const execution = await this.operator.find(id);
    const steps = await this.repository.stepExecutions(id);
    return toExecutionDetail(execution, steps);
  }

  @Get(':id/skipped-items')
  @RequireScope('read', { everyTarget: true })
  @ApiOperation({ summary: 'List the items that the steps of an execution have left out, with their errors' })
  @ApiOkResponse({ type: SkippedItemPageDto })
  @ApiProblems('INVALID_REQUEST', 'NO_SUCH_JOB_EXECUTION')
  async skippedItems(
    @Param(namedFieldsPipe) { id }: JobExecutionIdDto,
    @Query(queryPipe) { limit = DEFAULT_LIMIT, cursor }: PageQueryDto,
  ): Promise<IPage<ISkippedItem>> {
    const after = checkCursor(cursor);
    await this.operator.find(id);
    const found = await this.repository.skippedItems(id, { limit, ...(after !== undefined && { after }) });
    return pageOf(found.map(toSkippedItem), limit);
  }

  @Post(':id/stops')
  @RequireScope('admin')
  @HttpCode(HttpStatus.ACCEPTED)
  @ApiOperation({
    summary: 'Stop an execution',
    description: 'It stops after the chunk that it works on, with status STOPPED, and may be restarted.',
  })
  @ApiAcceptedResponse({ type: JobExecutionDto, description: 'It is asked to stop.' })
  @ApiProblems('INVALID_REQUEST', 'NO_SUCH_JOB_EXECUTION', 'JOB_NOT_RUNNING', ...NO_BODY_REFUSALS)
  async stop(
    @Param(namedFieldsPipe) { id }: JobExecutionIdDto,
    @CallerAccess() access: Access,
  ): Promise<IJobExecution> {
    await this.operator.stop(id);
    return this.done('stop', await this.operator.find(id), access);
  }

  @Post(':id/restarts')
  @RequireScope('admin')
  @ApiOperation({
    summary: 'Restart an execution that has failed or was stopped',
    description:
      'A new execution of the same instance. It skips steps that are complete, and goes on after the last commit.',
  })
  @ApiCreatedResponse({ type: JobExecutionDto, description: 'The new execution.' })
  @ApiProblems(
    'INVALID_REQUEST',
    'NO_SUCH_JOB_EXECUTION',
    'NO_SUCH_JOB',
    'JOB_ALREADY_RUNNING',
    'JOB_INSTANCE_ALREADY_COMPLETE',
    'JOB_RESTART_REFUSED',
    ...NO_BODY_REFUSALS,
  )
  async restart(
    @Param(namedFieldsPipe) { id }: JobExecutionIdDto,
    @CallerAccess() access: Access,
  ): Promise<IJobExecution> {
    return this.done('restart', await this.operator.restart(id), access);
  }

  @Post(':id/abandonments')
  @RequireScope('admin')
  @HttpCode(HttpStatus.OK)
  @ApiOperation({ summary: 'Give an execution up: its instance is never run again' })
  @ApiOkResponse({ type: JobExecutionDto })
  @ApiProblems(
    'INVALID_REQUEST',
    'NO_SUCH_JOB_EXECUTION',
    'JOB_STILL_RUNNING',
    'JOB_INSTANCE_ALREADY_COMPLETE',
    ...NO_BODY_REFUSALS,
  )
  async abandon(
    @Param(namedFieldsPipe) { id }: JobExecutionIdDto,
    @CallerAccess() access: Access,
  ): Promise<IJobExecution> {
    return this.done('abandon', await this.operator.abandon(id), access);
  }

  private async done(act: AuditAct, execution: JobExecution, access: Access): Promise<IJobExecution> {
    const { id, jobName } = execution;
    await this.audit.record({
      act,
      actor: callerName(access),
      subject: { kind: 'job', id },
      details: { job: jobName },
    });
    return toExecution(execution);
  }
}
