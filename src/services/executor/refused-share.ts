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

  note(refused: number, executed: number): void {
    if (executed === 0) return;
    const share = this.share * (1 - WEIGHT) + (refused / executed) * WEIGHT;
    this.share = share < SMALLEST_SHARE ? 0 : share;
  }
}
