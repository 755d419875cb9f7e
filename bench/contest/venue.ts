import type { Counted, Runner, Sample, Scale, Stage } from './contest.js';

/** Gives each contestant a stage of its own. */
export interface Venue {
  /** @param options.counted its database leads through the counting proxy */
  open(scale: Scale, options: { counted: boolean }): Promise<OpenStage>;
}

/** A stage, with what is measured on it. */
export interface OpenStage {
  stage: Stage;
  /** Right before the work: analyzes the tables and makes a checkpoint. */
  settle(): Promise<void>;
  /** Cleans up after a repetition, so that the server does not do it while the next one is measured. */
  clear(): Promise<void>;
  /** Does the work of a runner that is prepared. */
  measure(runner: Runner): Promise<Sample>;
  /** The same, but counts what passes the proxy of the stage. Undefined for contestants without the database. */
  count(runner: Runner): Promise<Counted | undefined>;
  /** Drops the database, whoever is connected. */
  close(): Promise<void>;
}
