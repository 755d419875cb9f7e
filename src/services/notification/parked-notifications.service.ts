import { Injectable, Logger } from '@nestjs/common';
import type { IParkedNotifications, ISkippedNotifications } from '../../interfaces/notification.js';
import { DatabaseService } from '../database/database.service.js';
import { listParked, skipParked } from './parked-notifications.js';

/** Shows operators the notifications that the broker refuses, and skips them on request. */
@Injectable()
export class ParkedNotificationsService {
  private readonly logger = new Logger(ParkedNotificationsService.name);

  constructor(private readonly database: DatabaseService) {}

  list(): Promise<IParkedNotifications> {
    return listParked(this.database.requests);
  }

  /** @see skipParked */
  async skip(chunkId: string, actor?: string): Promise<ISkippedNotifications> {
    const skipped = await skipParked(this.database.requests, chunkId, actor);
    this.logger.log({ msg: 'Parked notifications are skipped', ...skipped });
    return skipped;
  }
}
