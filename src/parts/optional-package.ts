import { loadOptional } from '../interfaces/load-optional.js';
import { PartError } from './part-error.js';

/**
 * Loads a package that only those need who configure a part.
 *
 * @throws PartError PACKAGE_MISSING when it is not installed
 */
export function optionalPackage<T>(name: string, neededBy: string, load: () => Promise<T>): Promise<T> {
  return loadOptional(name, neededBy, load, (message, options) => new PartError('PACKAGE_MISSING', message, options));
}
