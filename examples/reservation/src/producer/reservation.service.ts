import { InjectQueue } from '@nestjs/bullmq';
import { Inject, Injectable, ServiceUnavailableException, type OnApplicationShutdown } from '@nestjs/common';
import { enqueue } from 'batch-service/worker';
import type { Queue } from 'bullmq';
import pg from 'pg';
import { RESERVATION_QUEUE, RESERVE, type ReservationRequest } from '../reservation-job.js';
import type { AnswerDto, EventStateDto, QueueStateDto } from './reservation.dto.js';
import { withTimeout } from './with-timeout.js';

const QUEUE_TIMEOUT_MS = 1000;

@Injectable()
export class ReservationService implements OnApplicationShutdown {
  constructor(
    @InjectQueue(RESERVATION_QUEUE) private readonly queue: Queue,
    @Inject(pg.Pool) private readonly database: pg.Pool,
  ) {}

  /**
   * Resolves when Redis has the job.
   *
   * @throws ServiceUnavailableException when Redis does not say so. It may have the job all the same, so the caller sends the request
   *   again with the same id: the queue keeps one job for each id, and a consumer decides a request once.
   */
  async ask(requestId: string, data: ReservationRequest): Promise<void> {
    try {
      await withTimeout(enqueue(this.queue, { type: RESERVE, targetId: requestId, data }), QUEUE_TIMEOUT_MS);
    } catch (cause) {
      throw new ServiceUnavailableException('The queue does not answer. Send the request again, with the same key', {
        cause,
      });
    }
  }

  async answersOf(eventId: number, userId: number): Promise<AnswerDto[]> {
    const { rows } = await this.database.query<AnswerDto>(
      `select request_id as request, answer, seat
       from answers
       where event_id = $1
         and user_id = $2`,
      [eventId, userId],
    );
    return rows;
  }

  async events(): Promise<EventStateDto[]> {
    const { rows } = await this.database.query<EventStateDto>(
      `select id as "eventId", seats, taken as reserved,
              (select count(*)::int from answers where event_id = id) as answered
       from events
       order by id`,
    );
    return rows;
  }

  async queueState(): Promise<QueueStateDto | null> {
    const counts = this.queue.getJobCounts('waiting', 'active', 'delayed', 'failed');
    try {
      return (await withTimeout(counts, QUEUE_TIMEOUT_MS)) as unknown as QueueStateDto;
    } catch {
      // The state says so: `queue` is null.
      return null;
    }
  }

  async onApplicationShutdown(): Promise<void> {
    await this.database.end();
  }
}
