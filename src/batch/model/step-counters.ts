/** What one chunk adds to the counters of its step. It is added when the chunk is committed. */
export interface StepContribution {
  readCount: number;
  writeCount: number;
  filterCount: number;
  readSkipCount: number;
  processSkipCount: number;
  writeSkipCount: number;
}

export const NO_CONTRIBUTION: StepContribution = {
  readCount: 0,
  writeCount: 0,
  filterCount: 0,
  readSkipCount: 0,
  processSkipCount: 0,
  writeSkipCount: 0,
};

/**
 * What one execution of a step has counted. The definition of the step counts nothing, so each execution begins at zero. A counter
 * grows only when a chunk is committed. Two count what was undone too: `rollbackCount`, and `readCount`, which has the items
 * of the chunk that ended the step, because nothing puts them back.
 */
export class StepCounters implements StepContribution {
  readCount = 0;
  writeCount = 0;
  filterCount = 0;
  readSkipCount = 0;
  processSkipCount = 0;
  writeSkipCount = 0;
  commitCount = 0;
  rollbackCount = 0;

  /** All skips of the execution, in reading, processing and writing. */
  get skipCount(): number {
    return this.readSkipCount + this.processSkipCount + this.writeSkipCount;
  }

  /** Adds a chunk that is committed. */
  committed(contribution: StepContribution): void {
    // An empty last chunk is not counted as a commit.
    this.add(contribution, contribution.readCount + contribution.readSkipCount > 0);
  }

  /** @param counts whether it is counted as a commit */
  add(contribution: StepContribution, counts: boolean): void {
    this.readCount += contribution.readCount;
    this.writeCount += contribution.writeCount;
    this.filterCount += contribution.filterCount;
    this.readSkipCount += contribution.readSkipCount;
    this.processSkipCount += contribution.processSkipCount;
    this.writeSkipCount += contribution.writeSkipCount;
    if (counts) this.commitCount += 1;
  }

  /** Takes over the counters of another execution, as a whole. */
  copyCounters(other: StepCounters): void {
    this.readCount = other.readCount;
    this.writeCount = other.writeCount;
    this.filterCount = other.filterCount;
    this.readSkipCount = other.readSkipCount;
    this.processSkipCount = other.processSkipCount;
    this.writeSkipCount = other.writeSkipCount;
    this.commitCount = other.commitCount;
    this.rollbackCount = other.rollbackCount;
  }

  rolledBack(): void {
    this.rollbackCount += 1;
  }
}
