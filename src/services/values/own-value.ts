/**
 * The object's own value under a name. Undefined if it has none. Callers may name a column `constructor` or
 * `__proto__`, and every object inherits something under these names.
 */
export function ownValue<T>(object: Readonly<Record<string, T>>, name: string): T | undefined {
  // eslint-disable-next-line batch/no-names-as-keys -- the one place that asks before it reads
  return Object.hasOwn(object, name) ? object[name] : undefined;
}
