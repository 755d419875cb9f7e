import type { IStats, IStatsHistory, IStatsPoint } from '../../../interfaces/stats.js';
import { HISTORY_MINUTES } from '../../../services/outcomes/stats-sampler.service.js';
import { Fields } from './fields.js';
import { IntegerParameter } from './query-parameters.js';

@Fields<IStats['lastMinute']>({
  chunks: { example: 42 },
  completed: { example: 41_800 },
  failed: { example: 12 },
  statements: { example: 210 },
})
export class LastMinuteDto {}

@Fields<IStats>({
  pending: { description: 'Operations that wait for the next chunk.', example: 120 },
  pendingIsExact: { description: 'False: there are more than 50 000, counted some seconds ago.', example: true },
  scheduled: { description: 'Operations that wait for their time.', example: 3 },
  scheduledIsExact: { description: 'False: there are more than 50 000, counted some seconds ago.', example: true },
  lagMs: {
    description:
      'How long the operation has waited that waits longest, in milliseconds; 0 when none waits. A retry begins the wait anew. Paused lanes do not count.',
    example: 850,
  },
  blockedLanes: {
    description:
      'Lanes that do not go on: by a fault, parked, because their chunk waits for a lock, or closed by an open transaction. See `GET lanes?state=all`.',
    example: 0,
  },
  lockedLanes: { description: 'Those of them whose chunk waits for a lock.', example: 0 },
  closedLanes: {
    description: 'Those of them that are closed until open transactions of callers in SQL end.',
    example: 0,
  },
  parkedLanes: { description: 'Lanes that are parked: see `GET lanes`.', example: 0 },
  pausedLanes: {
    description: 'Lanes that are paused, themselves or by one of their tables: see `GET pauses`.',
    example: 0,
  },
  workers: { description: 'Workers that were seen in the last seconds.', example: 2 },
  failed: { description: 'Failed operations that are still stored.', example: 12 },
  failedIsExact: { description: 'False: there are more than 50 000, counted some seconds ago.', example: true },
  lastMinute: { type: LastMinuteDto, description: 'Chunks and operations settled in the last minute.' },
  pendingNotifications: { description: 'Chunks whose callers are not notified yet.', example: 0 },
  parkedNotifications: { description: 'Notifications that the broker refuses: see `GET notifications`.', example: 0 },
})
export class StatsDto {}

@Fields<IStatsPoint>({
  at: { format: 'date-time', description: 'The end of the interval.', example: '2026-01-01T08:00:10.000Z' },
  pending: { description: 'Operations that waited for the next chunk at that time.', example: 120 },
  scheduled: { description: 'Operations that waited for their time.', example: 3 },
  lagMs: { description: 'How long the operation had waited that waited longest, in milliseconds.', example: 850 },
  accepted: {
    optional: true,
    description: 'Operations stored in the interval. Absent where the point before this one is missing.',
    example: 6900,
  },
  completed: { description: 'Operations completed in the interval.', example: 6850 },
  failed: { description: 'Operations failed in the interval.', example: 12 },
  failedByCode: {
    optional: true,
    type: 'object',
    additionalProperties: { type: 'integer' },
    description:
      'Failed operations by code; codes beyond the ten most frequent together as `other`. Absent: none failed.',
    example: { UNIQUE_VIOLATION: 12 },
  },
  chunks: { description: 'Chunks settled in the interval.', example: 8 },
  chunkP50Ms: { optional: true, description: 'Half of the chunks took no longer, in milliseconds.', example: 41 },
  chunkP95Ms: { optional: true, description: '95 percent of the chunks took no longer.', example: 80 },
  chunkP99Ms: { optional: true, description: '99 percent of the chunks took no longer.', example: 95 },
  workers: { description: 'Workers that were seen.', example: 2 },
  blockedLanes: { description: 'Lanes that did not go on.', example: 0 },
})
export class StatsPointDto {}

@Fields<IStatsHistory>({
  intervalMs: { description: 'The length of an interval, in milliseconds.', example: 10_000 },
  points: { type: [StatsPointDto], description: 'In the order of time. A point is missing where no process ran.' },
})
export class StatsHistoryDto {}

export class StatsHistoryQueryDto {
  @IntegerParameter({
    minimum: 1,
    maximum: HISTORY_MINUTES,
    default: HISTORY_MINUTES,
    description: 'How many minutes the history goes back.',
  })
  minutes?: number;
}
