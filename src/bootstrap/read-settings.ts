import { existsSync } from 'node:fs';
import { InvalidSettingsError } from '../services/config/invalid-settings.error.js';
import { loadSettings } from '../services/config/load-settings.js';
import type { Settings } from '../services/config/settings.js';
import { roleWord } from './role-word.js';

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
