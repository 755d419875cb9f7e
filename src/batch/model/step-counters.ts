/** What one chunk adds to the counters of its step. It is added when the chunk is committed. */
export interface StepContribution {
  readCount: number;
  writeCount: number;
  filterCount: number;
  readSkipCount: number;
  processSkipCount: number;
  writeSkipCount: number;
}

/**
 * What one execution of a step has counted. The definition of the step counts nothing, so each execution begins at zero. A counter
 * grows only when a chunk is committed. Only `rollbackCount` counts what was undone.
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

  committed(contribution: StepContribution): void {
    this.readCount += contribution.readCount;
    this.writeCount += contribution.writeCount;
    this.filterCount += contribution.filterCount;
    this.readSkipCount += contribution.readSkipCount;
    this.processSkipCount += contribution.processSkipCount;
    this.writeSkipCount += contribution.writeSkipCount;
    // An empty last chunk is not counted as a commit.
    if (contribution.readCount > 0) this.commitCount += 1;
  }

  rolledBack(): void {
    this.rollbackCount += 1;
  }
}
