import type { PlanAnswer } from './plan-call.js';

/** Older executions count half as much with each new one. */
const WEIGHT = 0.5;
/** Less than this is nothing: a plan is then tried as a whole. */
const SMALLEST_SHARE = 1 / 2000;

/** Which share of the rows has been refused lately. A guess for the next execution: only its speed depends on it. */
export class RefusedShare {
  /** From 0 to 1. */
  share = 0;

  /** Some of the rows of a plan were refused. It is not known how many. */
  expectSome(): void {
    this.share = Math.max(this.share, 2 * SMALLEST_SHARE);
  }

  note({ executed, failures }: Pick<PlanAnswer, 'executed' | 'failures'>): void {
    if (executed === 0) return;
    const latest = failures.filter(({ from, to }) => from === to).length / executed;
    const share = this.share * (1 - WEIGHT) + latest * WEIGHT;
    this.share = share < SMALLEST_SHARE ? 0 : share;
  }
}
