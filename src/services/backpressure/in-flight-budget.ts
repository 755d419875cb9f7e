import { Inject, Injectable } from '@nestjs/common';
import { SETTINGS, type Settings } from '../config/settings.js';
import { MetricsService } from '../observability/metrics.service.js';
import { overloaded } from './overload-errors.js';

/** What a request costs besides its body: the smallest are bounded by their number. */
const LEAST_BYTES = 2048;
/** One party has at most this part of the budget: a single caller that sends slowly must not keep out all others. */
const SHARE = 1 / 4;

/** Gives back what was taken. Repeatable: the second call does nothing. */
export type Release = () => void;

/** Who takes: the id of an API key, or what several callers of whom nothing is known have in common. */
export type Party = string | symbol;

/**
 * The bytes of request bodies that the process is answering, over every transport. It promises that they stay within the limit,
 * but for what could not be refused and for a single request that is larger than all of it, and that no party has more than a
 * quarter of the limit, or a single request. Who takes has to give back when the request is over, whatever became of it.
 */
@Injectable()
export class InFlightBudget {
  private readonly limit: number;
  private taken = 0;
  private readonly takenBy = new Map<Party, number>();

  constructor(@Inject(SETTINGS) settings: Pick<Settings, 'intake'>, metrics?: MetricsService) {
    this.limit = settings.intake.maxInFlightKb * 1024;
    metrics?.readInFlightBytesBy(() => this.taken);
  }

  get bytes(): number {
    return this.taken;
  }

  /**
   * @param party undefined: its share is all of it
   * @throws ServiceError OVERLOADED
   */
  take(bytes: number, party?: Party): Release {
    const cost = Math.max(bytes, LEAST_BYTES);
    // With nothing else in flight even the largest has its turn.
    if (this.taken > 0 && this.taken + cost > this.limit) {
      throw overloaded(
        `is answering requests of ${Math.floor(this.taken / 1024)} KiB, BATCH_MAX_IN_FLIGHT_KB allows ` +
          `${this.limit / 1024}`,
      );
    }
    if (party !== undefined) this.assertShare(party, cost);
    return this.hold(cost, party);
  }

  /** For what cannot be refused, because nobody would hear of it: it counts all the same. */
  hold(bytes: number, party?: Party): Release {
    const cost = Math.max(bytes, LEAST_BYTES);
    this.count(cost, party);
    let held = true;
    return () => {
      if (held) this.count(-cost, party);
      held = false;
    };
  }

  private assertShare(party: Party, cost: number): void {
    const taken = this.takenBy.get(party) ?? 0;
    const share = this.limit * SHARE;
    if (taken === 0 || taken + cost <= share) return;
    throw overloaded(
      `is answering requests of ${Math.floor(taken / 1024)} KiB of this API key, or of callers that are not identified yet; ` +
        `these may take a quarter of BATCH_MAX_IN_FLIGHT_KB, ${Math.floor(share / 1024)} KiB`,
    );
  }

  private count(cost: number, party: Party | undefined): void {
    this.taken += cost;
    if (party === undefined) return;
    const taken = (this.takenBy.get(party) ?? 0) + cost;
    if (taken === 0) this.takenBy.delete(party);
    else this.takenBy.set(party, taken);
  }
}
