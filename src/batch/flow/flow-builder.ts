import { BatchError, InvalidJobDefinitionError } from '../model/batch-error.js';
import { ExitStatus } from '../model/exit-status.js';
import type { Step } from '../step/step.js';
import type { Decider, EndNode, Flow, FlowNode, Transition } from './flow.js';

/** What a flow goes to: a step, or a place made by `decision`, `subflow` or `split`. */
export type FlowTarget<Tx> = Step<Tx> | FlowNode<Tx>;

/** Asks `decide` which way to go. */
export const decision = <Tx>(name: string, decide: Decider): FlowNode<Tx> => ({ kind: 'decision', name, decide });

/** A flow as a part of another. */
export const subflow = <Tx>(flow: Flow<Tx>): FlowNode<Tx> => ({ kind: 'flow', name: flow.name, flow });

/** Flows that run at the same time. */
export const split = <Tx>(name: string, ...flows: readonly Flow<Tx>[]): FlowNode<Tx> => ({
  kind: 'split',
  name,
  flows,
});

/** Builds a flow: `start(a).next(b)`, or `start(a).on('FAILED').to(c).from(a).on('*').to(b)`. */
export class FlowBuilder<Tx> {
  private first: string | undefined;
  private at: string | undefined;
  private readonly nodes = new Map<string, FlowNode<Tx>>();
  private readonly transitions = new Map<string, Transition[]>();
  private readonly sequential = new Set<string>();

  constructor(protected readonly name: string) {}

  start(target: FlowTarget<Tx>): this {
    this.first = this.at = this.add(target);
    return this;
  }

  /**
   * Goes to the target when the status of the place before it is COMPLETED, whatever its exit code. Otherwise the flow ends as that place
   * did. Behind `on`, it is the place for the exit code COMPLETED.
   */
  next(target: FlowTarget<Tx>): this {
    const from = this.current('next');
    if (!this.transitions.has(from)) this.sequential.add(from);
    this.at = this.connect(from, ExitStatus.COMPLETED.code, target);
    return this;
  }

  /** What follows when the exit code of the place before fits the pattern. */
  on(pattern: string): TransitionBuilder<Tx, this> {
    const from = this.current('on');
    this.sequential.delete(from);
    return new TransitionBuilder(this, (target) => {
      this.at = this.connect(from, pattern, target);
    });
  }

  /**
   * Goes back to a place of the flow, to say more of what follows it.
   *
   * @throws BatchError NO_SUCH_STEP
   */
  from(target: FlowTarget<Tx>): this {
    if (!this.nodes.has(target.name)) {
      throw new BatchError(
        'NO_SUCH_STEP',
        `Flow "${this.name}" has no "${target.name}" yet, so nothing can go on from there`,
      );
    }
    this.at = target.name;
    return this;
  }

  /** @throws InvalidJobDefinitionError */
  buildFlow(): Flow<Tx> {
    const { name, first: start, nodes, transitions, sequential } = this;
    if (start === undefined) throw new InvalidJobDefinitionError(`Flow "${name}" has no start`);
    for (const node of nodes.values()) {
      if (node.kind === 'end' && node.restartAt !== undefined && !nodes.has(node.restartAt)) {
        throw new InvalidJobDefinitionError(
          `Flow "${name}" cannot restart at "${node.restartAt}", which it does not have`,
        );
      }
      if (node.kind === 'split' && node.flows.some(hasRestart)) {
        throw new InvalidJobDefinitionError(
          `Split "${node.name}" has a flow with stopAndRestart, which only a flow of its own may have`,
        );
      }
    }
    return { name, start, nodes, transitions, sequential };
  }

  /** For `TransitionBuilder`. */
  add(target: FlowTarget<Tx>): string {
    const node: FlowNode<Tx> = 'kind' in target ? target : { kind: 'step', name: target.name, step: target };
    const known = this.nodes.get(node.name);
    if (known !== undefined && !isSame(known, node)) {
      throw new InvalidJobDefinitionError(`Flow "${this.name}" has two different places with the name "${node.name}"`);
    }
    if (node.name.includes('/')) {
      throw new InvalidJobDefinitionError(`The name "${node.name}" must not contain a slash`);
    }
    this.nodes.set(node.name, known ?? node);
    return node.name;
  }

  private connect(from: string, pattern: string, target: FlowTarget<Tx>): string {
    const to = this.add(target);
    const others = this.transitions.get(from) ?? [];
    if (others.some((other) => other.pattern === pattern)) {
      throw new InvalidJobDefinitionError(`Flow "${this.name}" says twice what follows "${from}" on ${pattern}`);
    }
    this.transitions.set(from, [...others, { pattern, to }]);
    return to;
  }

  private current(method: string): string {
    if (this.at !== undefined && this.nodes.get(this.at)?.kind !== 'end') return this.at;
    throw new InvalidJobDefinitionError(
      `Flow "${this.name}" has no place to go on from at ${method}(): begin with start(), or go back with from()`,
    );
  }
}

/** The second half of `on(pattern)`. */
export class TransitionBuilder<Tx, B extends FlowBuilder<Tx>> {
  constructor(
    private readonly flow: B,
    private readonly go: (target: FlowTarget<Tx>) => void,
  ) {}

  to(target: FlowTarget<Tx>): B {
    this.go(target);
    return this.flow;
  }

  /** Ends the job as COMPLETED. */
  end(exitCode = 'COMPLETED'): B {
    return this.to(endNode('COMPLETED', exitCode));
  }

  /** Ends the job as FAILED. */
  fail(exitCode = 'FAILED'): B {
    return this.to(endNode('FAILED', exitCode));
  }

  /** Stops the job. A restart runs it from its start, or from where `stopAndRestart` put it before, past the steps that are complete. */
  stop(exitCode = 'STOPPED'): B {
    return this.to(endNode('STOPPED', exitCode));
  }

  /** Stops the job. Each restart begins at the target, until the job is complete or another `stopAndRestart` is reached. */
  stopAndRestart(target: FlowTarget<Tx>): B {
    const restartAt = this.flow.add(target);
    return this.to({ ...endNode('STOPPED', 'STOPPED'), name: `stop before ${restartAt}`, restartAt });
  }
}

const endNode = (status: EndNode['status'], exitCode: string): EndNode => ({
  kind: 'end',
  name: `end ${status} ${exitCode}`,
  status,
  exitCode,
});

function isSame<Tx>(one: FlowNode<Tx>, other: FlowNode<Tx>): boolean {
  if (one.kind === 'step' && other.kind === 'step') return one.step === other.step;
  return one === other || (one.kind === 'end' && other.kind === 'end');
}

function hasRestart(flow: Flow<unknown>): boolean {
  return [...flow.nodes.values()].some(
    (node) => (node.kind === 'end' && node.restartAt !== undefined) || (node.kind === 'flow' && hasRestart(node.flow)),
  );
}
