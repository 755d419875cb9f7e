const FIELDS = ['message', 'stack'] as const;

/**
 * The error, in which passwords are hidden: from here on only the queue and the log read it. It stays the same object, or one
 * of the same class where that may not be changed, so that BullMQ knows an `UnrecoverableError`.
 */
export function withoutSecrets(thrown: unknown, hide: (text: string) => string): Error {
  if (!(thrown instanceof Error)) return new Error(hide(String(thrown)));
  const hidden = FIELDS.map((field) => [field, hide(thrown[field] ?? '')] as const);
  // An assignment would fail where these are getters, as in the error of `AbortSignal.timeout()`.
  const changed = hidden.every(([field, value]) => Reflect.defineProperty(thrown, field, changeable(value)));
  return changed ? thrown : copyOf(thrown, hidden);
}

/** Of a frozen or sealed error. */
function copyOf(error: Error, hidden: readonly (readonly [field: string, value: string])[]): Error {
  const own = Object.entries(Object.getOwnPropertyDescriptors(error));
  const changed = hidden.map(([field, value]) => [field, changeable(value)] as const);
  const properties = Object.fromEntries<PropertyDescriptor>([...own, ...changed]);
  return Object.create(Object.getPrototypeOf(error) as object, properties) as Error;
}

const changeable = (value: string): PropertyDescriptor => ({ value, configurable: true, writable: true });
