/**
 * What an object itself holds under a name; undefined where it holds nothing. `constructor` and `__proto__` are names that
 * callers may give to a column, and every object inherits something under them.
 */
export function ownValue<T>(object: Readonly<Record<string, T>>, name: string): T | undefined {
  // eslint-disable-next-line batch/no-names-as-keys -- the one place that asks before it reads
  return Object.hasOwn(object, name) ? object[name] : undefined;
}
