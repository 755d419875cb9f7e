import type { Release } from '../../services/backpressure/in-flight-budget.js';
import { refusal, type RpcAnswer } from './rpc-answer.js';

/**
 * Runs a handler while its request counts as in progress. If `take` finds no room, the refusal is the answer. Never
 * rejects.
 */
export async function withinBudget(take: () => Release, work: () => Promise<RpcAnswer>): Promise<RpcAnswer> {
  let release: Release;
  try {
    release = take();
  } catch (error) {
    return refusal(error);
  }
  try {
    return await work();
  } finally {
    release();
  }
}
