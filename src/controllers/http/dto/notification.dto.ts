import { ApiProperty } from '@nestjs/swagger';
import type {
  IParkedNotification,
  IParkedNotifications,
  ISkippedNotifications,
} from '../../../interfaces/notification.js';

export class ParkedNotificationDto implements IParkedNotification {
  @ApiProperty({ example: '1207' })
  chunkId!: string;

  @ApiProperty({ description: '`anonymous` for operations without a source.', example: 'checkout' })
  source!: string;

  @ApiProperty({
    description: 'In the words of the broker.',
    example: 'PRECONDITION_FAILED - message size 1048900 is larger than configured max size 524288',
  })
  reason!: string;

  @ApiProperty({ description: 'How often it was refused.', example: 3 })
  failures!: number;

  @ApiProperty({ format: 'date-time', example: '2026-01-01T08:00:01.300Z' })
  parkedAt!: string;

  @ApiProperty({
    format: 'date-time',
    description: 'It is not tried again before this time.',
    example: '2026-01-01T08:04:00.000Z',
  })
  nextTryAt!: string;
}

export class ParkedNotificationsDto implements IParkedNotifications {
  @ApiProperty({ description: 'How many there are.', example: 1 })
  total!: number;

  @ApiProperty({ type: [ParkedNotificationDto], description: 'At most 1000, those of the oldest chunks first.' })
  items!: ParkedNotificationDto[];
}

export class SkippedNotificationsDto implements ISkippedNotifications {
  @ApiProperty({ example: '1207' })
  chunkId!: string;

  @ApiProperty({ type: [String], description: 'These sources are not notified of the chunk.', example: ['checkout'] })
  sources!: string[];
}
