/**
 * The error, in which passwords are hidden: from here on only the queue and the log read it. It stays the same object, so that
 * BullMQ knows an `UnrecoverableError`.
 */
export function withoutSecrets(thrown: unknown, hide: (text: string) => string): Error {
  if (!(thrown instanceof Error) || Object.isFrozen(thrown)) return new Error(hide(textOf(thrown)));
  // An assignment would fail where these are getters, as in the error of `AbortSignal.timeout()`.
  for (const field of ['message', 'stack'] as const) {
    const value = hide(thrown[field] ?? '');
    Object.defineProperty(thrown, field, { value, configurable: true, writable: true });
  }
  return thrown;
}

const textOf = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : String(thrown));
