import { Body, Controller, Get, Param, Post, Query, Res } from '@nestjs/common';
import { ApiBody, ApiCreatedResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { JobOperator } from '../../batch/operator/job-operator.js';
import { JobRegistry } from '../../batch/operator/job-registry.js';
import { JobRepository } from '../../batch/repository/job-repository.js';
import type { IJob, IJobExecution } from '../../interfaces/job.js';
import type { IPage } from '../../interfaces/operation.js';
import { callerName, type Access } from '../../services/access/access.js';
import { AuditService } from '../../services/audit/audit.service.js';
import { checkCursor, pageOf } from '../../services/outcomes/cursor.js';
import { CallerAccess } from '../caller-access.js';
import { JobNameDto } from '../dto/ids.dto.js';
import { namedFieldsPipe, queryPipe } from '../pipes/validation.pipes.js';
import { RequireScope } from '../require-scope.js';
import { API_PREFIX } from './api-prefix.js';
import { ApiProblems, BODY_REFUSALS } from './api-problems.js';
import { JobDto, JobExecutionDto, JobExecutionPageDto, StartJobDto } from './dto/job.dto.js';
import { PageQueryDto } from './dto/queries.dto.js';
import { describeJobs, toExecution, toJob } from '../../jobs/job-answers.js';
import { readStartRequest } from './read-start-request.js';

const DEFAULT_LIMIT = 100;

/** The batch jobs of the service, and their executions. */
@ApiTags('jobs')
@Controller(`${API_PREFIX}/jobs`)
export class JobsController {
  constructor(
    private readonly operator: JobOperator<unknown>,
    private readonly registry: JobRegistry<never>,
    private readonly repository: JobRepository<unknown>,
    private readonly audit: AuditService,
  ) {}

  @Get()
  @RequireScope('read', { everyTarget: true })
  @ApiOperation({ summary: 'List the jobs with their declared parameters and their last execution' })
  @ApiOkResponse({ type: [JobDto] })
  @ApiProblems()
  list(): Promise<IJob[]> {
    return describeJobs(this.registry, this.repository);
  }

  @Get(':name')
  @RequireScope('read', { everyTarget: true })
  @ApiOperation({ summary: 'Read a job' })
  @ApiOkResponse({ type: JobDto })
  @ApiProblems('INVALID_REQUEST', 'NO_SUCH_JOB')
  async get(@Param(namedFieldsPipe) { name }: JobNameDto): Promise<IJob> {
    const job = this.registry.get(name);
    const [last] = await this.repository.lastExecutions([name]);
    return toJob(job, last);
  }

  @Get(':name/executions')
  @RequireScope('read', { everyTarget: true })
  @ApiOperation({ summary: 'List the executions of a job, newest first' })
  @ApiOkResponse({ type: JobExecutionPageDto })
  @ApiProblems('INVALID_REQUEST', 'NO_SUCH_JOB')
  async executions(
    @Param(namedFieldsPipe) { name }: JobNameDto,
    @Query(queryPipe) { limit = DEFAULT_LIMIT, cursor }: PageQueryDto,
  ): Promise<IPage<IJobExecution>> {
    const before = checkCursor(cursor);
    const { name: jobName } = this.registry.get(name);
    const found = await this.repository.findExecutions({ jobName, limit, ...(before !== undefined && { before }) });
    return pageOf(found.map(toExecution), limit);
  }

  @Post(':name/executions')
  @RequireScope('admin')
  @ApiOperation({
    summary: 'Start a job',
    description:
      'The answer comes when the execution is stored, and does not wait for its end. A job with the same identifying parameters ' +
      'that has failed or was stopped goes on where it was. A process of role `api` runs no jobs: a worker takes the execution.',
  })
  @ApiBody({ type: StartJobDto })
  @ApiCreatedResponse({
    type: JobExecutionDto,
    headers: { Location: { description: 'Where to read the execution.', schema: { type: 'string' } } },
  })
  @ApiProblems(
    'INVALID_REQUEST',
    'NO_SUCH_JOB',
    'INVALID_JOB_PARAMETERS',
    'JOB_ALREADY_RUNNING',
    'JOB_INSTANCE_ALREADY_COMPLETE',
    'JOB_RESTART_REFUSED',
    ...BODY_REFUSALS,
  )
  async start(
    @Param(namedFieldsPipe) { name }: JobNameDto,
    @Body() body: unknown,
    @CallerAccess() access: Access,
    @Res({ passthrough: true }) response: Response,
  ): Promise<IJobExecution> {
    const { parameters, nextInstance } = readStartRequest(body);
    const execution = nextInstance
      ? await this.operator.startNextInstance(name, parameters)
      : await this.operator.start(name, parameters);
    const { id } = execution;
    await this.audit.record({
      act: 'start',
      actor: callerName(access),
      subject: { kind: 'job', id },
      details: { job: name },
    });
    response.location(`/${API_PREFIX}/job-executions/${id}`);
    return toExecution(execution);
  }
}
