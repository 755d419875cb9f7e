import type { IStats } from '../../../interfaces/stats.js';
import { Fields } from './fields.js';

@Fields<IStats['lastMinute']>({
  chunks: { example: 42 },
  completed: { example: 41_800 },
  failed: { example: 12 },
  statements: { example: 210 },
})
export class LastMinuteDto {}

@Fields<IStats>({
  pending: { description: 'Operations that wait for the next chunk.', example: 120 },
  scheduled: { description: 'Operations that wait for their time.', example: 3 },
  lagMs: { description: 'Age of the oldest pending operation, in milliseconds; 0 when none waits.', example: 850 },
  blockedLanes: {
    description:
      'Lanes that do not go on: by a fault, parked, or because their chunk waits for a lock. See `GET lanes?state=all`.',
    example: 0,
  },
  parkedLanes: { description: 'Lanes that are parked: see `GET lanes`.', example: 0 },
  workers: { description: 'Workers that were seen in the last seconds.', example: 2 },
  failed: { description: 'Failed operations that are still stored.', example: 12 },
  lastMinute: { type: LastMinuteDto, description: 'Chunks and operations settled in the last minute.' },
  pendingNotifications: { description: 'Chunks whose callers are not notified yet.', example: 0 },
  parkedNotifications: { description: 'Notifications that the broker refuses: see `GET notifications`.', example: 0 },
})
export class StatsDto {}
