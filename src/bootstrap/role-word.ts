import { InvalidSettingsError } from '../services/config/invalid-settings.error.js';
import { ROLES } from '../services/config/environment-schema.js';
import type { Settings } from '../services/config/settings.js';
import { shown } from '../services/catalog/shown.js';
import { didYouMean } from '../services/errors/nearest-name.js';

const LISTED = ROLES.join(', ');

/**
 * The role on the command line. Undefined: none is given, so BATCH_ROLE decides.
 *
 * @throws InvalidSettingsError for a word that is not a role, and for a second one, because only one role of the two
 * would run
 */
export function roleWord(words: readonly string[]): Settings['role'] | undefined {
  const faults = words.filter((word) => !isRole(word)).map(noRole);
  if (faults.length === 0 && words.length > 1) {
    faults.push(`The role on the command line must be one of ${LISTED}; got ${words.length} words: ${words.join(' ')}`);
  }
  if (faults.length > 0) throw new InvalidSettingsError(faults);
  return words.find(isRole);
}

function noRole(word: string): string {
  return `The role on the command line must be one of ${LISTED}; got ${shown(word)}${didYouMean(word, ROLES)}`;
}

function isRole(word: string): word is Settings['role'] {
  return ROLES.some((role) => role === word);
}
