import type { BatchStatus } from '../model/batch-status.js';
import { ExecutionContext, type JsonValue } from '../model/execution-context.js';
import { ExitStatus } from '../model/exit-status.js';
import { JobExecution } from '../model/job-execution.js';
import { JobParameters } from '../model/job-parameters.js';
import { StepExecution } from '../model/step-execution.js';

/** Of `job_executions`. */
export interface JobRow {
  id: string;
  instanceId: string;
  jobName: string;
  status: BatchStatus;
  exitCode: string;
  exitDescription: string;
  /** JSON text. */
  parameters: string;
  /** JSON text. */
  context: string;
  restartAt: string | null;
  interrupted: boolean;
  recoveries: number;
  createdAt: Date;
  startedAt: Date | null;
  endedAt: Date | null;
}

/** Of `step_executions`. */
export interface StepRow {
  id: string;
  jobExecutionId: string;
  stepName: string;
  status: BatchStatus;
  exitCode: string;
  exitDescription: string;
  readCount: number;
  writeCount: number;
  filterCount: number;
  readSkipCount: number;
  processSkipCount: number;
  writeSkipCount: number;
  commitCount: number;
  rollbackCount: number;
  progress: number | null;
  /** JSON text. */
  context: string;
  version: number;
  startedAt: Date;
  endedAt: Date | null;
}

export function toJobExecution(row: JobRow): JobExecution {
  const instance = { id: row.instanceId, jobName: row.jobName };
  const parameters = JobParameters.fromJSON(JSON.parse(row.parameters) as ReturnType<JobParameters['toJSON']>);
  const execution = new JobExecution(row.id, instance, parameters, row.createdAt, toContext(row.context));
  execution.status = row.status;
  execution.exitStatus = new ExitStatus(row.exitCode, row.exitDescription);
  execution.restartAt = row.restartAt ?? undefined;
  execution.interrupted = row.interrupted;
  execution.recoveries = row.recoveries;
  execution.startedAt = row.startedAt ?? undefined;
  execution.endedAt = row.endedAt ?? undefined;
  return execution;
}

export function toStepExecution(row: StepRow): StepExecution {
  const { id, jobExecutionId, stepName, startedAt } = row;
  const execution = new StepExecution(id, jobExecutionId, stepName, startedAt, toContext(row.context));
  execution.status = row.status;
  execution.exitStatus = new ExitStatus(row.exitCode, row.exitDescription);
  execution.add(row, false);
  execution.commitCount = row.commitCount;
  execution.rollbackCount = row.rollbackCount;
  execution.progress = row.progress ?? undefined;
  execution.version = row.version;
  execution.endedAt = row.endedAt ?? undefined;
  return execution;
}

const toContext = (text: string): ExecutionContext =>
  new ExecutionContext(JSON.parse(text) as Record<string, JsonValue>);
