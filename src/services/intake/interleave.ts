import { ServiceError } from '../errors/service-error.js';

export function isAccepted<T>(item: T | ServiceError): item is T {
  return !(item instanceof ServiceError);
}

/** Puts `results` in the places of the items they belong to; by default of those that are no errors. */
export function interleave<Item, Result>(
  items: readonly (Item | ServiceError)[],
  results: readonly Result[],
): (Result | ServiceError)[];
export function interleave<Item, Result>(
  items: readonly Item[],
  results: readonly Result[],
  replaced: (item: Item) => boolean,
): (Item | Result)[];
export function interleave(
  items: readonly unknown[],
  results: readonly unknown[],
  replaced: (item: unknown) => boolean = isAccepted,
): unknown[] {
  let next = 0;
  return items.map((item) => (replaced(item) ? results[next++] : item));
}
