import { Injectable, Logger } from '@nestjs/common';
import type {
  IParkedNotification,
  IParkedNotifications,
  ISkippedNotifications,
} from '../../interfaces/notification.js';
import { insertAudit } from '../audit/audit.sql.js';
import { DatabaseService } from '../database/database.service.js';
import { ServiceError } from '../errors/service-error.js';
import { selectParkedNotifications, skipNotifications } from './notification.sql.js';

const LISTED = 1000;

interface ParkedRow extends Omit<IParkedNotification, 'parkedAt' | 'nextTryAt'> {
  parkedAt: Date;
  nextTryAt: Date;
  total: number;
}

/** Shows operators the notifications that the broker refuses, and gives them up on request. */
@Injectable()
export class ParkedNotificationsService {
  private readonly logger = new Logger(ParkedNotificationsService.name);

  constructor(private readonly database: DatabaseService) {}

  async list(): Promise<IParkedNotifications> {
    const { rows } = await this.database.requests.query<ParkedRow>(selectParkedNotifications(LISTED));
    return { total: rows[0]?.total ?? 0, items: rows.map(toParkedNotification) };
  }

  /**
   * Gives up the parked notifications of a chunk. Its operations stay as they are, and the chunk can be announced
   * again.
   *
   * @param actor who gives them up, see `callerName`
   * @throws ServiceError NOTIFICATION_NOT_FOUND when nothing of the chunk is parked
   */
  async skip(chunkId: string, actor?: string): Promise<ISkippedNotifications> {
    const sources = await this.database.requests.transaction(async (tx) => {
      const { rows } = await tx.query<{ source: string }>(skipNotifications(chunkId));
      const skipped = rows.map(({ source }) => source).sort();
      const entry = {
        act: 'skip',
        actor,
        subject: { kind: 'chunk', id: chunkId },
        details: { sources: skipped },
      } as const;
      if (skipped.length > 0) await tx.query(insertAudit([entry]));
      return skipped;
    });
    if (sources.length === 0) {
      throw new ServiceError('NOTIFICATION_NOT_FOUND', `No notification of chunk ${chunkId} is parked`, { chunkId });
    }
    this.logger.log({ msg: 'Parked notifications were skipped', chunkId, sources });
    return { chunkId, sources };
  }
}

function toParkedNotification({ total: _total, parkedAt, nextTryAt, ...row }: ParkedRow): IParkedNotification {
  return { ...row, parkedAt: parkedAt.toISOString(), nextTryAt: nextTryAt.toISOString() };
}
