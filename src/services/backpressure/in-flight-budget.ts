import { Inject, Injectable } from '@nestjs/common';
import { SETTINGS, type Settings } from '../config/settings.js';
import { MetricsService } from '../observability/metrics.service.js';
import { overloaded } from './overload-errors.js';

/** The least cost of a request. It limits the number of very small requests. */
const LEAST_BYTES = 2048;
/** The largest part of the budget for one party, so that one caller that sends slowly cannot block all others. */
const SHARE = 1 / 4;

/** Gives back the taken bytes. A second call does nothing. */
export type Release = () => void;

/**
 * Counts the bytes of the request bodies in progress, over all transports. It promises that they stay within the limit.
 * The exceptions are requests that cannot be refused, and a single request that is larger than the limit. No party has
 * more than a quarter of the limit, or one larger request. The caller must release its bytes when the request ends,
 * whatever the result.
 */
@Injectable()
export class InFlightBudget {
  private readonly limit: number;
  private taken = 0;
  /** The bytes of each API key. */
  private readonly takenBy = new Map<string, number>();

  constructor(@Inject(SETTINGS) settings: Pick<Settings, 'intake'>, metrics?: MetricsService) {
    this.limit = settings.intake.maxInFlightKb * 1024;
    metrics?.readInFlightBytesBy(() => this.taken);
  }

  get bytes(): number {
    return this.taken;
  }

  /**
   * @param party the id of an API key; undefined: the share is the whole budget
   * @throws ServiceError OVERLOADED
   */
  take(bytes: number, party?: string): Release {
    const cost = Math.max(bytes, LEAST_BYTES);
    // While no other request is in progress, even the largest request is accepted.
    if (this.taken > 0 && this.taken + cost > this.limit) {
      throw overloaded(
        `is answering requests of ${Math.floor(this.taken / 1024)} KiB; BATCH_MAX_IN_FLIGHT_KB allows ` +
          `${this.limit / 1024}`,
      );
    }
    if (party !== undefined) this.assertShare(party, cost);
    return this.hold(cost, party);
  }

  /** Counts a request that cannot be refused, because nobody would receive the refusal. */
  hold(bytes: number, party?: string): Release {
    const cost = Math.max(bytes, LEAST_BYTES);
    this.count(cost, party);
    let held = true;
    return () => {
      if (held) this.count(-cost, party);
      held = false;
    };
  }

  private assertShare(party: string, cost: number): void {
    const taken = this.takenBy.get(party) ?? 0;
    const share = this.limit * SHARE;
    if (taken === 0 || taken + cost <= share) return;
    throw overloaded(
      `is answering requests of ${Math.floor(taken / 1024)} KiB of this API key; ` +
        `each key may use a quarter of BATCH_MAX_IN_FLIGHT_KB, ${Math.floor(share / 1024)} KiB`,
    );
  }

  private count(cost: number, party: string | undefined): void {
    this.taken += cost;
    if (party === undefined) return;
    const taken = (this.takenBy.get(party) ?? 0) + cost;
    if (taken === 0) this.takenBy.delete(party);
    else this.takenBy.set(party, taken);
  }
}
