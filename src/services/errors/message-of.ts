/** The text of whatever was thrown. Node hides the reason for a refused connection in an AggregateError without a message. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.message || ('code' in error && String(error.code)) || error.name;
}
