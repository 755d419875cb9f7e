import { isThenable, type Awaitable } from '../awaitable.js';
import type { ItemContext, ItemProcessor } from '../chunk/item.js';

/** Keeps the items for which `predicate` is true. */
export function filterProcessor<T, Tx = unknown>(
  predicate: (item: T, context: ItemContext<Tx>) => Awaitable<boolean>,
): ItemProcessor<T, T, Tx> {
  return {
    process(item, context) {
      const kept = predicate(item, context);
      if (isThenable(kept)) return kept.then((is) => (is ? item : null));
      return kept ? item : null;
    },
  };
}
