import { BatchError } from '../model/batch-error.js';
import type { StepListener } from './step-listener.js';

export interface PromotionOptions {
  /** True: a complete step without one of the keys fails. Default: false, a key that is not there is left out. */
  strict?: boolean;
}

/**
 * Copies keys of a step's context into that of its job when the step completes, for the steps behind it.
 *
 * @throws BatchError CONTEXT_KEY_MISSING, as the failure of the step, when `strict`
 */
export function promotionListener(keys: readonly string[], { strict = false }: PromotionOptions = {}): StepListener {
  return {
    afterStep({ status, stepName }, { step, job }) {
      if (status !== 'COMPLETED') return;
      for (const key of keys) {
        const value = step.context.get(key);
        if (value !== undefined) job.context.put(key, value);
        else if (strict) {
          throw new BatchError('CONTEXT_KEY_MISSING', `Step "${stepName}" has left no "${key}" in its context`);
        }
      }
    },
  };
}
