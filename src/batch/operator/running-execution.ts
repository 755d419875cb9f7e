/** An execution that runs in this process. */
export interface RunningExecution {
  abort: AbortController;
  /** True when somebody wants it to stop. Otherwise its process ends, or it has lost its lease. */
  stopRequested: boolean;
  /** Executions of other jobs that its steps wait for. */
  waitsFor: Set<string>;
  ended: Promise<void>;
}

/** Stops it because somebody wants it to stop. */
export function stopByRequest(run: RunningExecution): void {
  run.stopRequested = true;
  run.abort.abort();
}
