import { Injectable } from '@nestjs/common';
import { JobHandler, JobProcessor, type WorkerJob } from 'batch-service/worker';
import {
  RESERVATION_QUEUE,
  reservationRequest,
  type ReservationAnswer,
  type ReservationRequest,
} from '../reservation-job.js';
import { reserve } from './reserve.js';

@Injectable()
@JobHandler(RESERVATION_QUEUE)
export class ReservationProcessor extends JobProcessor<ReservationRequest, ReservationAnswer> {
  override readonly schema = reservationRequest;

  /** A job that comes again, since its consumer died after the commit, gets the stored answer and reserves nothing. */
  async work(job: WorkerJob<ReservationRequest>): Promise<ReservationAnswer> {
    return this.runOnce(job, (tx) => reserve(tx, job.targetId, job.data));
  }
}
