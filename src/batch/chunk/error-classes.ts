/** A class of errors, or a question about an error. */
export type ErrorMatcher = (abstract new (...args: never[]) => Error) | ((error: unknown) => boolean);

/** A cause of a cause, and so on, is looked at down to this depth. */
const MAX_CAUSES = 10;

/** True when the error, or one of its causes, is of one of the classes. */
export function isOneOf(error: unknown, matchers: readonly ErrorMatcher[]): boolean {
  let current = error;
  for (let depth = 0; depth < MAX_CAUSES && current !== undefined; depth += 1) {
    const each = current;
    if (matchers.some((matcher) => matches(each, matcher))) return true;
    current = each instanceof Error ? each.cause : undefined;
  }
  return false;
}

function matches(error: unknown, matcher: ErrorMatcher): boolean {
  if (isErrorClass(matcher)) return error instanceof matcher;
  return matcher(error);
}

const isErrorClass = (matcher: ErrorMatcher): matcher is abstract new (...args: never[]) => Error =>
  matcher === Error || matcher.prototype instanceof Error;
