const TOLD_EVERY_MS = 60_000;

/** Remembers for which sources the missing queue was reported, so that each is reported once a minute. */
export class UnroutedSources {
  /** When each source was reported, in milliseconds of the clock that `toTell` gets. */
  private readonly toldAt = new Map<string, number>();

  /** The `sources` that were not reported within the last minute, each once. They count as reported from now on. */
  toTell(sources: readonly string[], nowMs: number): string[] {
    for (const [source, toldAtMs] of this.toldAt) if (nowMs - toldAtMs >= TOLD_EVERY_MS) this.toldAt.delete(source);
    const news = [...new Set(sources)].filter((source) => !this.toldAt.has(source));
    for (const source of news) this.toldAt.set(source, nowMs);
    return news;
  }
}
