/** `fetch` says only that it failed. The cause says why. */
export function fetchFailure(error: unknown): Error {
  return new Error(`no answer: ${reasonOf(error as Error)}`, { cause: error });
}

function reasonOf({ message, cause }: Error): string {
  if (!(cause instanceof Error)) return message;
  return cause.message || ('code' in cause ? String(cause.code) : message);
}
