import type { ChunkPhase, IChunkPhases } from '../../interfaces/chunk.js';

/** Measures the phases of a chunk. Each phase lasts until the next one begins, so their sum is the whole time. */
export class PhaseTimer {
  private readonly spent: IChunkPhases = { claim: 0, read: 0, plan: 0, execute: 0, settle: 0 };
  private since = performance.now();

  /** @param phase the first one, which begins now */
  constructor(private phase: ChunkPhase) {}

  /** A phase may begin several times. */
  begin(phase: ChunkPhase): void {
    const now = performance.now();
    this.spent[this.phase] += now - this.since;
    this.since = now;
    this.phase = phase;
  }

  /** The milliseconds of each phase until now. */
  get phases(): IChunkPhases {
    this.begin(this.phase);
    return { ...this.spent };
  }
}
