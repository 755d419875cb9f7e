/** Call it once, when the execution has ended. */
export type Leave = () => void;

interface Waiting {
  alone: boolean;
  begin: (leave: Leave) => void;
}

/**
 * All executions of a channel pass this gate, from every line. It promises that one that enters alone stays alone until
 * it ends. All enter in the order in which they asked, so neither kind can keep the other out for ever.
 */
export class ExecutionGate {
  private readonly waiting: Waiting[] = [];
  private inside = 0;
  private isAloneInside = false;

  /** Calls `begin` as soon as all that asked earlier have entered and nothing is alone inside. */
  enter(begin: (leave: Leave) => void): void {
    this.waiting.push({ alone: false, begin });
    this.admit();
  }

  /** Calls `begin` as soon as all that asked earlier have entered and left. */
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
