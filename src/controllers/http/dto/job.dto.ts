import { ApiPropertyOptional } from '@nestjs/swagger';
import {
  JOB_PARAMETER_TYPES,
  BATCH_STATUSES,
  type IJob,
  type IJobExecution,
  type IJobExecutionDetail,
  type IJobParameter,
  type IJobParameterValue,
  type ISkippedItem,
  type IStepExecution,
} from '../../../interfaces/job.js';
import type { IPage } from '../../../interfaces/operation.js';
import { Fields } from './fields.js';

const AT = '2026-01-01T08:00:00.000Z';
const STATUS = { enum: BATCH_STATUSES, enumName: 'BatchStatus', example: 'COMPLETED' } as const;
const CONTEXT = { type: 'object', additionalProperties: true } as const;
const TYPE = { enum: JOB_PARAMETER_TYPES, enumName: 'JobParameterType', example: 'string' } as const;

@Fields<IJobParameter>({
  name: { example: 'file' },
  type: TYPE,
  required: { example: true },
  identifying: { description: 'True: another value is another instance of the job.', example: true },
  default: { optional: true, description: 'Taken when the parameter is not given.', example: 'orders.csv' },
  choices: { optional: true, type: [String], description: 'The only values that are allowed.' },
  description: { optional: true, example: 'The path of the CSV file on the server' },
})
export class JobParameterDto {}

@Fields<IJobParameterValue>({
  type: TYPE,
  value: { example: 'orders.csv' },
  identifying: { example: true },
})
export class JobParameterValueDto {}

@Fields<IJobExecution>({
  id: { example: '42' },
  job: { example: 'importOrders' },
  instanceId: {
    description: 'Executions with the same identifying parameters have the same instance.',
    example: '17',
  },
  parameters: {
    type: 'object',
    additionalProperties: { $ref: '#/components/schemas/JobParameterValueDto' },
    example: { file: { type: 'file', value: 'orders.csv', identifying: true } },
  },
  status: STATUS,
  exitCode: { description: 'The status, unless a step or a listener gave another code.', example: 'COMPLETED' },
  exitDescription: { description: 'Why it failed, cut to 2500 characters.', example: '' },
  interrupted: {
    description: 'True: its process has gone, and a worker goes on with it by itself.',
    example: false,
  },
  createdAt: { format: 'date-time', example: AT },
  startedAt: { optional: true, format: 'date-time', example: AT },
  endedAt: { optional: true, format: 'date-time', example: AT },
})
export class JobExecutionDto {}

@Fields<IJob>({
  name: { example: 'importOrders' },
  description: { optional: true, example: 'Reads orders from a CSV file into public.example_orders' },
  restartable: { example: true },
  hasNextInstance: {
    description: 'True: `nextInstance` starts it with the next value of `run.id` or the like.',
    example: false,
  },
  parameters: {
    optional: true,
    type: [JobParameterDto],
    description: 'Absent: the job takes any parameters.',
  },
  lastExecution: { optional: true, type: JobExecutionDto },
})
export class JobDto {}

@Fields<IStepExecution>({
  id: { example: '43' },
  name: { description: 'Of a partition: `step:partition`.', example: 'load' },
  status: STATUS,
  exitCode: { example: 'COMPLETED' },
  exitDescription: { example: '' },
  readCount: { example: 1000 },
  writeCount: { example: 998 },
  filterCount: { example: 0 },
  readSkipCount: { example: 1 },
  processSkipCount: { example: 0 },
  writeSkipCount: { example: 2 },
  commitCount: { example: 1 },
  rollbackCount: { example: 0 },
  progress: {
    optional: true,
    minimum: 0,
    maximum: 1,
    description: 'How far the step is. Absent where its reader cannot tell.',
    example: 0.42,
  },
  context: { ...CONTEXT, description: 'What the step remembers for a restart.', example: { 'reader.position': 1000 } },
  startedAt: { format: 'date-time', example: AT },
  endedAt: { optional: true, format: 'date-time', example: AT },
})
export class StepExecutionDto {}

@Fields<Pick<IJobExecutionDetail, 'context' | 'steps'>>({
  context: { ...CONTEXT, description: 'What its steps pass on to one another.', example: { file: 'orders.csv' } },
  steps: { type: [StepExecutionDto], description: 'In the order of their start.' },
})
export class JobExecutionDetailDto extends JobExecutionDto {}

@Fields<IPage<IJobExecution>>({
  items: { type: [JobExecutionDto], description: 'Newest first.' },
  nextCursor: { optional: true, description: 'For the next page. Absent on the last one.', example: '42' },
})
export class JobExecutionPageDto {}

@Fields<ISkippedItem>({
  id: { example: '44' },
  step: { example: 'load' },
  phase: { enum: ['read', 'process', 'write'], example: 'write' },
  item: {
    optional: true,
    description: 'As JSON text, cut to 2000 characters. Absent for an item that could not be read.',
    example: '{"order_no":"A-1006","amount":"-5.00"}',
  },
  error: { description: 'The name of the class of the error.', example: 'DatabaseError' },
  message: { example: 'new row for relation "example_orders" violates check constraint "example_orders_amount_check"' },
  at: { format: 'date-time', example: AT },
})
export class SkippedItemDto {}

@Fields<IPage<ISkippedItem>>({
  items: { type: [SkippedItemDto], description: 'In the order in which they were left out.' },
  nextCursor: { optional: true, description: 'For the next page. Absent on the last one.', example: '44' },
})
export class SkippedItemPageDto {}

export class StartJobDto {
  @ApiPropertyOptional({
    type: 'object',
    additionalProperties: { oneOf: [{ type: 'string' }, { type: 'number' }, { type: 'boolean' }] },
    description: 'Values by name, as the job declares them. A date is a time in ISO 8601.',
    example: { file: 'demo/jobs/orders.csv' },
  })
  parameters?: Readonly<Record<string, string | number | boolean>>;

  @ApiPropertyOptional({
    type: Boolean,
    default: false,
    description:
      'True: the next instance of a job that counts them, with the parameters of the last one where none are given.',
  })
  nextInstance?: boolean;
}
