import { FlowExecutionError } from '../model/batch-error.js';
import { worstStatus, type BatchStatus } from '../model/batch-status.js';
import { ExitStatus } from '../model/exit-status.js';
import type { StepExecution } from '../model/step-execution.js';
import type { StepRunner } from '../step/step-runner.js';
import type { Flow, FlowNode } from './flow.js';
import { transitionFor } from './match-pattern.js';

/** How a flow ended. */
export interface FlowResult {
  status: BatchStatus;
  exitStatus: ExitStatus;
  /** The node at which a restart begins: names from the outermost flow to the innermost, joined by `/`. */
  restartAt?: string;
  /** The step that was passed last, in this execution or in one before it. */
  lastStep?: StepExecution;
}

/** Runs a flow: node after node, as the exit codes and the transitions say. Steps that are complete already keep their exit code. */
export class FlowRunner<Tx> {
  constructor(private readonly steps: StepRunner<Tx>) {}

  /**
   * @param startAt `restartAt` of the execution before this one
   * @param before the step that was passed before the flow
   * @throws FlowExecutionError when no transition fits an exit code
   */
  async run(flow: Flow<Tx>, startAt?: string, before?: StepExecution): Promise<FlowResult> {
    const [first, ...inner] = startAt?.split('/') ?? [];
    let name = first !== undefined && flow.nodes.has(first) ? first : flow.start;
    let innerStart = inner.length === 0 ? undefined : inner.join('/');
    let result: FlowResult = {
      status: 'COMPLETED',
      exitStatus: ExitStatus.COMPLETED,
      ...(before && { lastStep: before }),
    };
    for (;;) {
      const node = flow.nodes.get(name)!;
      if (node.kind === 'end') return toEnd(node, result);
      const { lastStep } = result;
      result = { ...(lastStep && { lastStep }), ...(await this.runNode(node, innerStart, lastStep)) };
      innerStart = undefined;
      const { status, restartAt } = result;
      if (restartAt !== undefined) return { ...result, restartAt: `${node.name}/${restartAt}` };
      if (status === 'STOPPED' || this.steps.signal.aborted) return stoppedAt(result);
      const transitions = flow.transitions.get(name) ?? [];
      if (transitions.length === 0) return result;
      if (flow.sequential.has(name)) {
        if (status !== 'COMPLETED') return result;
        name = transitions[0]!.to;
        continue;
      }
      const next = transitionFor(transitions, result.exitStatus.code);
      if (next === undefined) {
        const patterns = transitions.map(({ pattern }) => pattern);
        throw new FlowExecutionError(flow.name, name, result.exitStatus.code, patterns);
      }
      name = next.to;
    }
  }

  private async runNode(
    node: Exclude<FlowNode<Tx>, { kind: 'end' }>,
    startAt: string | undefined,
    lastStep: StepExecution | undefined,
  ): Promise<FlowResult> {
    switch (node.kind) {
      case 'step': {
        const step = await this.steps.run(node.step);
        return { status: step.status, exitStatus: step.exitStatus, lastStep: step };
      }
      case 'decision': {
        const code = await node.decide(this.steps.job, lastStep);
        return { status: 'COMPLETED', exitStatus: new ExitStatus(code) };
      }
      case 'flow':
        return this.run(node.flow, startAt, lastStep);
      case 'split':
        return this.runTogether(node.flows);
      default:
        return node satisfies never;
    }
  }

  /** All flows run to their ends, whatever becomes of the others. The worst status counts. */
  private async runTogether(flows: readonly Flow<Tx>[]): Promise<FlowResult> {
    const ended = await Promise.allSettled(flows.map((flow) => this.run(flow)));
    const failed = ended.find(({ status }) => status === 'rejected');
    if (failed?.status === 'rejected') throw failed.reason;
    const results = ended.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    return {
      status: worstStatus(results.map(({ status }) => status)),
      exitStatus: results.reduce((all, { exitStatus }) => all.and(exitStatus), ExitStatus.COMPLETED),
    };
  }
}

function toEnd(node: Extract<FlowNode<unknown>, { kind: 'end' }>, { exitStatus }: FlowResult): FlowResult {
  const { status, exitCode, restartAt } = node;
  const description = status === 'COMPLETED' ? '' : exitStatus.description;
  return { status, exitStatus: new ExitStatus(exitCode, description), ...(restartAt !== undefined && { restartAt }) };
}

/** A step that was complete when the stop came is complete; the job is stopped all the same. */
function stoppedAt({ status, exitStatus }: FlowResult): FlowResult {
  if (status === 'COMPLETED') return { status: 'STOPPED', exitStatus: ExitStatus.STOPPED };
  return { status, exitStatus };
}
