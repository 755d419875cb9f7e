import type { BulkActionKind, IBulkAction, IBulkActionCount } from '../../../src/interfaces/bulk-action.js';
import type { IWorker } from '../../../src/interfaces/worker.js';
import type { IFailures } from '../../../src/interfaces/failure.js';
import type { IPause, IPauseAnswer, IPauseState } from '../../../src/interfaces/pause.js';
import type { IAlerts } from '../../../src/interfaces/alert.js';
import type { IOperationFilter } from '../../../src/interfaces/operation-filter.js';
import type { IStatsHistory, IStats } from '../../../src/interfaces/stats.js';
import type { IAccess } from '../../../src/interfaces/access.js';

import type { IAuditEntry } from '../../../src/interfaces/audit.js';
import type { IChunk, IChunkDetail, IChunkGroupMember } from '../../../src/interfaces/chunk.js';
import type { IJob, IJobExecution, IJobExecutionDetail, ISkippedItem } from '../../../src/interfaces/job.js';
import type { ILane, ILaneBlock } from '../../../src/interfaces/lane.js';
import type { IParkedNotification } from '../../../src/interfaces/notification.js';
import type { IParkedMessages } from '../../../src/interfaces/parked-message.js';
import type { IBatchOperation, IPage } from '../../../src/interfaces/operation.js';
import type { IHealth } from './health.js';
import { request } from './request.js';

// Every request that the dashboard makes, in the words of docs/wire-format.md and Swagger.

type Values = Readonly<Record<string, string | number | boolean | undefined>>;

function withQuery(path: string, values: Values): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined && value !== '') search.set(name, String(value));
  }
  const text = search.toString();
  return text === '' ? path : `${path}?${text}`;
}

const part = encodeURIComponent;
const get = <T>(path: string, values: Values = {}, stop?: AbortSignal): Promise<T> =>
  request<T>(withQuery(path, values), stop && { signal: stop });
const post = <T>(path: string, body?: unknown): Promise<T> => request<T>(path, { method: 'POST', body });
const remove = <T>(path: string): Promise<T> => request<T>(path, { method: 'DELETE' });

export const getAccess = (stop?: AbortSignal): Promise<IAccess> => get('access', {}, stop);
export const getStats = (stop?: AbortSignal): Promise<IStats> => get('stats', {}, stop);
export const getHistory = (minutes: number, stop?: AbortSignal): Promise<IStatsHistory> =>
  get('stats/history', { minutes }, stop);
export const getWorkers = (stop?: AbortSignal): Promise<IWorker[]> => get('workers', {}, stop);

/** Answers also when the service is not ready: that is what it tells. */
export async function getHealth(stop?: AbortSignal): Promise<IHealth> {
  const response = await fetch('/health/ready', { cache: 'no-store', ...(stop && { signal: stop }) });
  return (await response.json()) as IHealth;
}

export const operationsPath = (filter: Values): string => withQuery('operations', filter);
export const listOperations = (filter: Values, stop?: AbortSignal): Promise<IPage<IBatchOperation>> =>
  get('operations', filter, stop);
export const getOperation = (id: string, stop?: AbortSignal): Promise<IBatchOperation> =>
  get(`operations/${part(id)}`, {}, stop);
export const retryOperation = (id: string): Promise<IBatchOperation> => post(`operations/${part(id)}/retries`);
export const cancelOperation = (id: string): Promise<IBatchOperation> => remove(`operations/${part(id)}`);

const BULK_PATHS = { retry: 'retries', cancel: 'cancellations', erase: 'erasures' } as const;
export const bulkPath = (action: BulkActionKind): string => `operations/${BULK_PATHS[action]}`;
export const dryRun = (action: BulkActionKind, filter: IOperationFilter): Promise<IBulkActionCount> =>
  post(bulkPath(action), { filter, dryRun: true });
export const startBulkAction = (
  action: BulkActionKind,
  filter: IOperationFilter,
  expected: number | undefined,
): Promise<IBulkAction> => post(bulkPath(action), { filter, ...(expected !== undefined && { expected }) });
export const listBulkActions = (values: Values, stop?: AbortSignal): Promise<IPage<IBulkAction>> =>
  get('bulk-actions', values, stop);
export const getBulkAction = (id: string, stop?: AbortSignal): Promise<IBulkAction> =>
  get(`bulk-actions/${part(id)}`, {}, stop);
export const stopBulkAction = (id: string): Promise<IBulkAction> => post(`bulk-actions/${part(id)}/stops`);

export const listChunks = (filter: Values, stop?: AbortSignal): Promise<IPage<IChunk>> => get('chunks', filter, stop);
export const getChunk = (id: string, stop?: AbortSignal): Promise<IChunkDetail> => get(`chunks/${part(id)}`, {}, stop);
export const listGroup = (
  id: string,
  group: number,
  values: Values,
  stop?: AbortSignal,
): Promise<IPage<IChunkGroupMember>> => get(`chunks/${part(id)}/groups/${group}/operations`, values, stop);
export const notifyAgain = (id: string): Promise<IChunkDetail> => post(`chunks/${part(id)}/notifications`);

export const listLanes = (stop?: AbortSignal): Promise<ILane[]> => get('lanes', { state: 'all' }, stop);
export const resumeLane = (lane: number): Promise<ILaneBlock> => post(`lanes/${lane}/resumes`);
/** Refused if another operation blocks the lane by then: that one was not looked at. */
export const skipOfLane = (lane: number, operationId: string): Promise<unknown> =>
  post(`lanes/${lane}/skips?operationId=${part(operationId)}`);

export const listPauses = (stop?: AbortSignal): Promise<IPauseState[]> => get('pauses', {}, stop);
export const pause = (kind: IPause['kind'], name: string, reason?: string, drain = false): Promise<IPauseAnswer> =>
  post('pauses', { kind, name, drain, ...(reason !== undefined && reason !== '' && { reason }) });
export const unpause = (kind: IPause['kind'], name: string): Promise<unknown> => remove(`pauses/${kind}/${part(name)}`);

export const listFailures = (filter: Values, stop?: AbortSignal): Promise<IFailures> => get('failures', filter, stop);

export const listParkedMessages = (values: Values, stop?: AbortSignal): Promise<IParkedMessages> =>
  get('parked-messages', values, stop);
export const replayMessage = (id: string): Promise<unknown> => post(`parked-messages/${part(id)}/replays`);
export const discardMessage = (id: string): Promise<unknown> => remove(`parked-messages/${part(id)}`);
export const listParkedNotifications = (values: Values, stop?: AbortSignal): Promise<IPage<IParkedNotification>> =>
  get('notifications', values, stop);
export const discardNotifications = (chunkId: string): Promise<unknown> => remove(`notifications/${part(chunkId)}`);

export const listJobs = (stop?: AbortSignal): Promise<IJob[]> => get('jobs', {}, stop);
export const getJob = (name: string, stop?: AbortSignal): Promise<IJob> => get(`jobs/${part(name)}`, {}, stop);
export const listExecutions = (values: Values, stop?: AbortSignal): Promise<IPage<IJobExecution>> =>
  get('job-executions', values, stop);
export const listExecutionsOf = (name: string, values: Values, stop?: AbortSignal): Promise<IPage<IJobExecution>> =>
  get(`jobs/${part(name)}/executions`, values, stop);
export const startJob = (
  name: string,
  parameters: Readonly<Record<string, string | number | boolean>>,
  nextInstance: boolean,
): Promise<IJobExecution> => post(`jobs/${part(name)}/executions`, { parameters, nextInstance });
export const getExecution = (id: string, stop?: AbortSignal): Promise<IJobExecutionDetail> =>
  get(`job-executions/${part(id)}`, {}, stop);
export const listSkippedItems = (id: string, values: Values, stop?: AbortSignal): Promise<IPage<ISkippedItem>> =>
  get(`job-executions/${part(id)}/skipped-items`, values, stop);
export const stopExecution = (id: string): Promise<IJobExecution> => post(`job-executions/${part(id)}/stops`);
export const restartExecution = (id: string): Promise<IJobExecution> => post(`job-executions/${part(id)}/restarts`);
export const abandonExecution = (id: string): Promise<IJobExecution> => post(`job-executions/${part(id)}/abandonments`);

export const listAudit = (values: Values, stop?: AbortSignal): Promise<IPage<IAuditEntry>> =>
  get('audit', values, stop);
export const listAlerts = (stop?: AbortSignal): Promise<IAlerts> => get('alerts', {}, stop);
