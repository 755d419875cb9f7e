import type { Flow } from './flow.js';

/** True when the flow has the place at which a restart is to begin. See `FlowResult.restartAt`. */
export function hasPlace(flow: Flow<unknown>, restartAt: string): boolean {
  const [name = '', ...inner] = restartAt.split('/');
  const node = flow.nodes.get(name);
  if (node === undefined || inner.length === 0) return node !== undefined;
  return node.kind === 'flow' && hasPlace(node.flow, inner.join('/'));
}
