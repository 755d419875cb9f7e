import { Injectable, Logger } from '@nestjs/common';
import type { IParkedNotification, ISkippedNotifications } from '../../interfaces/notification.js';
import type { IPage } from '../../interfaces/operation.js';
import { DatabaseService } from '../database/database.service.js';
import { listParked, skipParked } from './parked-notifications.js';

/** Shows operators the notifications that the broker refuses, and skips them on request. */
@Injectable()
export class ParkedNotificationsService {
  private readonly logger = new Logger(ParkedNotificationsService.name);

  constructor(private readonly database: DatabaseService) {}

  /** @see listParked */
  list(page: { limit?: number; cursor?: string }): Promise<IPage<IParkedNotification>> {
    return listParked(this.database.requests, page);
  }

  /** @see skipParked */
  async skip(chunkId: string, actor?: string): Promise<ISkippedNotifications> {
    const skipped = await skipParked(this.database.requests, chunkId, actor);
    this.logger.log({ msg: 'Parked notifications are skipped', ...skipped });
    return skipped;
  }
}
