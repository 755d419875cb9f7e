/**
 * Loads a package that only some applications need and install.
 *
 * @param load imports it, with the name as a literal, so that tools find it
 * @param toError makes the error that is thrown when the package is not installed
 */
export async function loadOptional<T>(
  name: string,
  neededBy: string,
  load: () => Promise<T>,
  toError: (message: string, options: ErrorOptions) => Error,
): Promise<T> {
  try {
    return await load();
  } catch (cause) {
    if ((cause as { code?: unknown }).code !== 'ERR_MODULE_NOT_FOUND') throw cause;
    throw toError(`${neededBy} needs the package "${name}": npm install ${name}`, { cause });
  }
}
