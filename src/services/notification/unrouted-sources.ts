const TOLD_EVERY_MS = 60_000;

/** Remembers which sources without a queue were reported, so that each is reported at most once a minute. */
export class UnroutedSources {
  /** When each source was reported, by the clock of `toTell`. */
  private readonly toldAt = new Map<string, number>();

  /** Returns those of the `sources` that were not reported within the last minute, and remembers them as reported. */
  toTell(sources: readonly string[], nowMs: number): string[] {
    for (const [source, toldAtMs] of this.toldAt) if (nowMs - toldAtMs >= TOLD_EVERY_MS) this.toldAt.delete(source);
    const news = [...new Set(sources)].filter((source) => !this.toldAt.has(source));
    for (const source of news) this.toldAt.set(source, nowMs);
    return news;
  }
}
