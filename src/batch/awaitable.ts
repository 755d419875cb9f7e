/** A value, or a promise of it. */
export type Awaitable<T> = T | Promise<T>;

/** A promise of another library is not an instance of `Promise`. */
export function isThenable<T>(value: Awaitable<T>): value is Promise<T> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}
