import type { IParkedNotification, ISkippedNotifications } from '../../../interfaces/notification.js';
import type { IPage } from '../../../interfaces/operation.js';
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

@Fields<IPage<IParkedNotification>>({
  items: { type: [ParkedNotificationDto] },
  nextCursor: { optional: true, description: 'For the next page; absent on the last one.', example: '1207.checkout' },
})
export class ParkedNotificationPageDto {}

@Fields<ISkippedNotifications>({
  chunkId: { example: '1207' },
  sources: { type: [String], description: 'These sources are not notified of the chunk.', example: ['checkout'] },
})
export class SkippedNotificationsDto {}
