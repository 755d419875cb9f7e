import type { IWorker } from '../../../interfaces/worker.js';
import { Fields } from './fields.js';

@Fields<IWorker['lastMinute']>({ chunks: { example: 42 }, operations: { example: 41_800 } })
export class WorkerLastMinuteDto {}

@Fields<IWorker>({
  name: { description: 'Host and process, as in chunks.', example: 'worker-1:4242' },
  startedAt: { format: 'date-time', example: '2026-01-01T08:00:00.000Z' },
  seenAt: { format: 'date-time', example: '2026-01-01T09:30:00.000Z' },
  alive: { description: 'False: it was not seen for ten seconds, so it is probably gone.', example: true },
  lastMinute: { type: WorkerLastMinuteDto, description: 'What it executed in the last minute.' },
  lastChunkAt: {
    optional: true,
    format: 'date-time',
    description: 'When its last chunk in this minute was settled.',
    example: '2026-01-01T09:29:59.000Z',
  },
})
export class WorkerDto {}
