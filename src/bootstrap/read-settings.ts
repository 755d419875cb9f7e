import { existsSync } from 'node:fs';
import { InvalidSettingsError } from '../services/config/invalid-settings.error.js';
import { loadSettings } from '../services/config/load-settings.js';
import { ROLES } from '../services/config/environment-schema.js';
import type { Settings } from '../services/config/settings.js';
import { quoteForMessage } from '../services/errors/quote-for-message.js';
import { didYouMean } from '../services/errors/nearest-name.js';

/**
 * The settings of this process. They come from the environment, and what is not set there comes from the file `.env`. A
 * role on the command line overrides both. If the settings cannot be used, the process ends with 1 and a text that says
 * why.
 *
 * @param words the words on the command line after the program
 */
export function readSettings(words: readonly string[] = []): Settings {
  try {
    const role = roleWord(words);
    if (existsSync('.env')) process.loadEnvFile('.env');
    return loadSettings({ ...process.env, ...(role !== undefined && { BATCH_ROLE: role }) });
  } catch (error) {
    if (!(error instanceof InvalidSettingsError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  }
}

/**
 * The role on the command line. Undefined: none is given, so BATCH_ROLE decides.
 *
 * @throws InvalidSettingsError for a word that is not a role, and for a second word: only one role would run
 */
export function roleWord(words: readonly string[]): Settings['role'] | undefined {
  const wrong = words
    .filter((word) => !isRole(word))
    .map((word) => `${quoteForMessage(word)}${didYouMean(word, ROLES)}`);
  if (wrong.length === 0 && words.length > 1) wrong.push(`${words.length} words: ${words.join(' ')}`);
  if (wrong.length === 0) return words.find(isRole);
  const expected = `The role on the command line must be one of ${ROLES.join(', ')}`;
  throw new InvalidSettingsError(wrong.map((got) => `${expected}; got ${got}`));
}

function isRole(word: string): word is Settings['role'] {
  return ROLES.some((role) => role === word);
}
