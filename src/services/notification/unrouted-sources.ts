const TOLD_EVERY_MS = 60_000;

/** Remembers which sources were told of as without a queue, so that each is told of once a minute. */
export class UnroutedSources {
  /** When each was told of, in milliseconds of the clock that `toTell` is given. */
  private readonly toldAt = new Map<string, number>();

  /** Those of `sources` that were not told of within the last minute, each once. From now on they were. */
  toTell(sources: readonly string[], nowMs: number): string[] {
    for (const [source, toldAtMs] of this.toldAt) if (nowMs - toldAtMs >= TOLD_EVERY_MS) this.toldAt.delete(source);
    const news = [...new Set(sources)].filter((source) => !this.toldAt.has(source));
    for (const source of news) this.toldAt.set(source, nowMs);
    return news;
  }
}
