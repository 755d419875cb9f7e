/** How often the oldest message is tried: what waits behind those that are held goes on so soon after the fault. */
const TRY_EVERY_MS = 500;

/** A message that is held back. */
export interface Hold {
  /** Resolves with true when the message is to be tried again now, with false when it has to go: its time is over. */
  turn(): Promise<boolean>;
  /** It is held no longer, whatever became of it. Repeatable. */
  release(): void;
}

interface Waiting extends Hold {
  /** Ends the turn that is awaited, if one is. */
  take?: ((again: boolean) => void) | undefined;
}

/**
 * The messages of a channel that a passing fault keeps from being executed. It promises that one of them is tried every half second,
 * the oldest first, and that none is held for longer than its time. That one was executed shows that others can be:
 * who sees it calls `wake`. How a message is tried is left to its holder.
 */
export class HeldBack {
  /** Oldest first. */
  private readonly holds = new Set<Waiting>();
  private trying: NodeJS.Timeout | undefined;
  private ended = false;

  hold(ms: number): Hold {
    let over = false;
    const hold: Waiting = {
      turn: () =>
        new Promise((resolve) => {
          if (over || this.ended) return resolve(false);
          hold.take = (again) => {
            hold.take = undefined;
            resolve(again);
          };
        }),
      release: () => {
        clearTimeout(timer);
        this.holds.delete(hold);
        if (this.holds.size === 0) this.rest();
      },
    };
    const timer = setTimeout(() => {
      over = true;
      hold.take?.(false);
    }, ms);
    this.holds.add(hold);
    this.trying ??= setInterval(() => this.wake(1), TRY_EVERY_MS);
    return hold;
  }

  /** So many of those that wait have their turn, the oldest first. */
  wake(count: number): void {
    let left = count;
    for (const { take } of this.holds) {
      if (left === 0) return;
      if (take === undefined) continue;
      take(true);
      left -= 1;
    }
  }

  /** All of them have to go, and so has what comes later: the channel is closed, or the service stops. */
  end(): void {
    this.ended = true;
    this.rest();
    for (const { take } of this.holds) take?.(false);
  }

  private rest(): void {
    clearInterval(this.trying);
    this.trying = undefined;
  }
}
