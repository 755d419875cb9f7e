import type { JobListener } from '../job/job-definition.js';
import type { ChunkStepListener } from '../step/step-listener.js';

/** The jobs and steps that a listener is told of. Undefined: all of them. */
export interface ListenerScope {
  job?: string;
  /** A partitioned step stands for its partitions too. */
  step?: string;
}

export type CommonListener<Tx> = JobListener & ChunkStepListener<unknown, unknown, Tx>;

/** Listeners of jobs and steps whose definitions do not name them. They are told before those of the definition. */
export class CommonListeners<Tx> {
  private readonly all: { listener: CommonListener<Tx>; scope: ListenerScope }[] = [];

  add(listener: CommonListener<Tx>, scope: ListenerScope = {}): void {
    this.all.push({ listener, scope });
  }

  ofJob(name: string): CommonListener<Tx>[] {
    return this.all.filter(({ scope }) => (scope.job ?? name) === name).map(({ listener }) => listener);
  }

  ofStep(jobName: string, stepName: string): CommonListener<Tx>[] {
    return this.all
      .filter(({ scope: { job = jobName, step = stepName } }) => {
        return job === jobName && (step === stepName || stepName.startsWith(`${step}:`));
      })
      .map(({ listener }) => listener);
  }
}
