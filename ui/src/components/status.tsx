import type { IBulkAction } from '../../../src/interfaces/bulk-action.js';
import type { JSX } from 'preact';
import type { BatchStatus } from '../../../src/interfaces/job.js';
import type { OperationStatus } from '../../../src/interfaces/operation.js';
import type { LaneState } from '../state/lanes.js';
import { Badge, type Tone } from './basics.js';

const OPERATION: Record<OperationStatus, Tone> = {
  scheduled: 'wait',
  pending: 'busy',
  completed: 'good',
  failed: 'bad',
  cancelled: 'quiet',
};
const LANE: Record<LaneState, Tone> = {
  idle: 'quiet',
  waiting: 'wait',
  running: 'busy',
  blocked: 'bad',
  parked: 'bad',
  closed: 'bad',
  paused: 'warn',
};
const JOB: Record<BatchStatus, Tone> = {
  COMPLETED: 'good',
  STARTING: 'busy',
  STARTED: 'busy',
  STOPPING: 'warn',
  STOPPED: 'warn',
  FAILED: 'bad',
  ABANDONED: 'quiet',
  UNKNOWN: 'bad',
};
const BULK: Record<IBulkAction['status'], Tone> = {
  running: 'busy',
  completed: 'good',
  stopped: 'warn',
  failed: 'bad',
};

export const OperationBadge = ({ status }: { status: OperationStatus }): JSX.Element => (
  <Badge tone={OPERATION[status]}>{status}</Badge>
);
export const LaneBadge = ({ state }: { state: LaneState }): JSX.Element => <Badge tone={LANE[state]}>{state}</Badge>;
export const JobBadge = ({ status }: { status: BatchStatus }): JSX.Element => (
  <Badge tone={JOB[status]}>{status}</Badge>
);
export const BulkBadge = ({ status }: { status: IBulkAction['status'] }): JSX.Element => (
  <Badge tone={BULK[status]}>{status}</Badge>
);
