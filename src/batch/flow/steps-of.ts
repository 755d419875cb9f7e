import type { Flow } from './flow.js';
import type { Step } from '../step/step.js';

/** The steps of a flow, also those of the flows in it. */
export function* stepsOf<Tx>({ nodes }: Flow<Tx>): Generator<Step<Tx>> {
  for (const node of nodes.values()) {
    if (node.kind === 'step') yield node.step;
    else if (node.kind === 'flow') yield* stepsOf(node.flow);
    else if (node.kind === 'split') for (const flow of node.flows) yield* stepsOf(flow);
  }
}
