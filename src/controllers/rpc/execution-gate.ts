/** To be called once, when what was let in has ended. */
export type Leave = () => void;

interface Waiting {
  alone: boolean;
  begin: (leave: Leave) => void;
}

/**
 * Through it go all executions of a channel, whatever line they are in. It promises that what enters alone is alone from its beginning
 * to its end, and that all are let in in the order in which they asked, so neither kind can keep the other out for ever.
 */
export class ExecutionGate {
  private readonly waiting: Waiting[] = [];
  private inside = 0;
  private isAloneInside = false;

  /** Calls `begin` when nothing is alone inside and nothing that wants to be alone came before; at once where that is so already. */
  enter(begin: (leave: Leave) => void): void {
    this.waiting.push({ alone: false, begin });
    this.admit();
  }

  /** Calls `begin` when nothing else is inside; at once where that is so already. */
  enterAlone(begin: (leave: Leave) => void): void {
    this.waiting.push({ alone: true, begin });
    this.admit();
  }

  private admit(): void {
    for (let [next] = this.waiting; next !== undefined && this.mayEnter(next); [next] = this.waiting) {
      this.waiting.shift();
      this.inside += 1;
      this.isAloneInside = next.alone;
      next.begin(() => this.leave());
    }
  }

  private mayEnter({ alone }: Waiting): boolean {
    return this.inside === 0 || (!alone && !this.isAloneInside);
  }

  private leave(): void {
    this.inside -= 1;
    this.admit();
  }
}
