import { BatchError } from './model/batch-error.js';

/**
 * Loads a package that only some applications need and install.
 *
 * @param load imports it, with the name as a literal, so that tools find it
 * @throws BatchError PACKAGE_MISSING when it is not installed
 */
export async function optionalPackage<T>(name: string, neededBy: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (cause) {
    if ((cause as { code?: unknown }).code !== 'ERR_MODULE_NOT_FOUND') throw cause;
    throw new BatchError('PACKAGE_MISSING', `${neededBy} needs the package "${name}": npm install ${name}`, { cause });
  }
}
