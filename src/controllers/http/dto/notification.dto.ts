import type {
  IParkedNotification,
  IParkedNotifications,
  ISkippedNotifications,
} from '../../../interfaces/notification.js';
import { Fields } from './fields.js';

@Fields<IParkedNotification>({
  chunkId: { example: '1207' },
  source: { description: '`anonymous` for operations without a source.', example: 'checkout' },
  reason: {
    description: 'In the words of the broker.',
    example: 'PRECONDITION_FAILED - message size 1048900 is larger than configured max size 524288',
  },
  failures: { description: 'How often it was refused.', example: 3 },
  parkedAt: { format: 'date-time', example: '2026-01-01T08:00:01.300Z' },
  nextTryAt: {
    format: 'date-time',
    description: 'It is not tried again before this time.',
    example: '2026-01-01T08:04:00.000Z',
  },
})
export class ParkedNotificationDto {}

@Fields<IParkedNotifications>({
  total: { description: 'How many there are.', example: 1 },
  items: { type: [ParkedNotificationDto], description: 'At most 1000, those of the oldest chunks first.' },
})
export class ParkedNotificationsDto {}

@Fields<ISkippedNotifications>({
  chunkId: { example: '1207' },
  sources: { type: [String], description: 'These sources are not notified of the chunk.', example: ['checkout'] },
})
export class SkippedNotificationsDto {}
