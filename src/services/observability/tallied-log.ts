const EVERY_MS = 60_000;

/** Lines of what callers may bring about as often as they like: the first is told at once, those after it once a minute, with their number. */
export class TalliedLog {
  private untold = 0;
  private latest = '';
  private timer: NodeJS.Timeout | undefined;

  /** @param tell is given the latest text, and how many there were since it was last called */
  constructor(private readonly tell: (text: string, count: number) => void) {}

  note(text: string): void {
    this.untold += 1;
    this.latest = text;
    if (this.timer === undefined) this.flush();
  }

  private flush(): void {
    this.timer = undefined;
    if (this.untold === 0) return;
    this.tell(this.latest, this.untold);
    this.untold = 0;
    this.timer = setTimeout(() => this.flush(), EVERY_MS).unref();
  }
}
