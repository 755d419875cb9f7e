import { loadOptional } from '../interfaces/load-optional.js';
import { BatchError } from './model/batch-error.js';

/**
 * Loads a package that only some applications need and install.
 *
 * @throws BatchError PACKAGE_MISSING when it is not installed
 */
export function optionalPackage<T>(name: string, neededBy: string, load: () => Promise<T>): Promise<T> {
  return loadOptional(name, neededBy, load, (message, options) => new BatchError('PACKAGE_MISSING', message, options));
}
