import type { SqlClient } from '../../interfaces/sql.js';
import { FlowBuilder } from '../flow/flow-builder.js';
import type { Flow } from '../flow/flow.js';
import { stepsOf } from '../flow/steps-of.js';
import { InvalidJobDefinitionError } from '../model/batch-error.js';
import type { JobParameterDeclarations } from '../model/job-parameters.js';
import type { Step } from '../step/step.js';
import { StepBuilder } from '../step/step-builder.js';
import type { JobDefinition, JobListener, JobParametersIncrementer, JobParametersValidator } from './job-definition.js';

/** Where jobs, steps and flows begin. */
export class BatchBuilders<Tx = SqlClient> {
  job(name: string): JobBuilder<Tx> {
    return new JobBuilder(named('job', name));
  }

  step(name: string): StepBuilder<Tx> {
    return new StepBuilder(named('step', name));
  }

  flow(name: string): NamedFlowBuilder<Tx> {
    return new NamedFlowBuilder(named('flow', name));
  }
}

/** Builds a flow that is a part of a job. */
export class NamedFlowBuilder<Tx> extends FlowBuilder<Tx> {
  build(): Flow<Tx> {
    return this.buildFlow();
  }
}

export class JobBuilder<Tx> extends FlowBuilder<Tx> {
  private readonly parts: Partial<Pick<JobDefinition<Tx>, 'description' | 'parameters' | 'validator' | 'incrementer'>> =
    {};
  private readonly listeners: JobListener[] = [];
  private restartable = true;

  describe(description: string): this {
    this.parts.description = description;
    return this;
  }

  /** Names the parameters of the job. Others are refused then. */
  parameters(declarations: JobParameterDeclarations): this {
    this.parts.parameters = declarations;
    return this;
  }

  validator(validator: JobParametersValidator): this {
    this.parts.validator = validator;
    return this;
  }

  incrementer(incrementer: JobParametersIncrementer): this {
    this.parts.incrementer = incrementer;
    return this;
  }

  listener(listener: JobListener): this {
    this.listeners.push(listener);
    return this;
  }

  preventRestart(): this {
    this.restartable = false;
    return this;
  }

  /** @throws InvalidJobDefinitionError */
  build(): JobDefinition<Tx> {
    const { name, parts, listeners, restartable } = this;
    const flow = this.buildFlow();
    assertNamesOfSteps(name, flow);
    return { name, flow, ...parts, restartable, listeners };
  }
}

/** What is stored of a step is found by its name: with two steps of one name, the end of one would count for the other. */
function assertNamesOfSteps(job: string, flow: Flow<unknown>): void {
  const byName = new Map<string, Step<unknown>>();
  for (const step of stepsOf(flow)) {
    if ((byName.get(step.name) ?? step) !== step) {
      throw new InvalidJobDefinitionError(
        `Job "${job}" has two different steps with the name "${step.name}": give each step of all its flows its own name`,
      );
    }
    byName.set(step.name, step);
  }
}

/** A colon stands between a partitioned step and its partition. */
const NAME = /^[\w.:-]{1,100}$/;

function named(what: string, name: string): string {
  if (NAME.test(name)) return name;
  throw new InvalidJobDefinitionError(
    `The name of a ${what} has 1 to 100 letters, digits, "_", ".", ":" or "-", and is ${JSON.stringify(name)}`,
  );
}
