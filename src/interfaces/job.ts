import type { Json, JsonRow } from './json.js';

/** What became of a job or a step, from the best to the worst. The status of several together is the worst of them. */
export const BATCH_STATUSES = [
  'COMPLETED',
  'STARTING',
  'STARTED',
  'STOPPING',
  'STOPPED',
  'FAILED',
  'ABANDONED',
  'UNKNOWN',
] as const;
export type BatchStatus = (typeof BATCH_STATUSES)[number];

export const JOB_PARAMETER_TYPES = ['string', 'integer', 'number', 'boolean', 'date', 'file'] as const;
export type JobParameterType = (typeof JOB_PARAMETER_TYPES)[number];

/** A parameter that a job declares. */
export interface IJobParameter {
  name: string;
  type: JobParameterType;
  required: boolean;
  /** True: another value is another instance of the job. */
  identifying: boolean;
  /** Taken when the parameter is not given. */
  default?: string;
  /** The only values that are allowed. */
  choices?: string[];
  description?: string;
}

export interface IJob {
  name: string;
  description?: string;
  restartable: boolean;
  /** True: `nextInstance` starts it with the next value of `run.id` or the like. */
  hasNextInstance: boolean;
  /** Absent: the job takes any parameters. */
  parameters?: IJobParameter[];
  lastExecution?: IJobExecution;
}

export interface IJobParameterValue {
  type: JobParameterType;
  value: string;
  identifying: boolean;
}

/** One attempt to run a job with certain parameters. */
export interface IJobExecution {
  id: string;
  job: string;
  /** Executions with the same identifying parameters have the same instance. */
  instanceId: string;
  parameters: Readonly<Record<string, IJobParameterValue>>;
  status: BatchStatus;
  exitCode: string;
  /** Why it failed, cut to 2500 characters. */
  exitDescription: string;
  /** True: its process has gone, and a worker goes on with it by itself. */
  interrupted: boolean;
  /** ISO 8601 in UTC. */
  createdAt: string;
  startedAt?: string;
  endedAt?: string;
}

/** One attempt to run a step. */
export interface IStepExecution {
  id: string;
  /** Of a partition: `step:partition`. */
  name: string;
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
  /** How far it is, from 0 to 1. Absent where that is not known. */
  progress?: number;
  /** What the step remembers for a restart. */
  context: JsonRow;
  startedAt: string;
  endedAt?: string;
}

export interface IJobExecutionDetail extends IJobExecution {
  /** What its steps pass on to one another. */
  context: JsonRow;
  /** In the order of their start. */
  steps: IStepExecution[];
}

/** An item that a step has left out. */
export interface ISkippedItem {
  id: string;
  step: string;
  phase: 'read' | 'process' | 'write';
  /** As JSON text, cut to 2000 characters. Absent for an item that could not be read. */
  item?: string;
  /** The name of the class of the error. */
  error: string;
  message: string;
  at: string;
}

export interface IStartJobRequest {
  /** Text, number, boolean or ISO 8601 time by name, as the job declares them. */
  parameters?: Readonly<Record<string, Json>>;
  /** True: the next instance, with the parameters of the last one where none are given. */
  nextInstance?: boolean;
}
