import { mailFaults } from '../../parts/mail/mail-variables.js';
import { quoteForMessage } from '../errors/quote-for-message.js';
import { TargetList } from '../catalog/target-list.js';
import { didYouMean } from '../errors/nearest-name.js';
import { ownValue } from '../values/own-value.js';
import { alertFaults } from './alert-faults.js';
import { certificateFaults, readCertificates } from './certificate-settings.js';
import { conflictFaults } from './conflicting-variables.js';
import { readDatabaseUrl } from './database-url.js';
import { environmentSchema, expectationOf, listOf, type Environment } from './environment-schema.js';
import { InvalidSettingsError } from './invalid-settings.error.js';
import { openAccessFaults } from './open-access.js';
import { toSettings, type Settings } from './settings.js';
import { unknownVariableFaults } from './unknown-variables.js';

/**
 * Reads the environment once. An empty variable counts as absent, because compose files and CI systems set empty ones.
 *
 * @throws InvalidSettingsError that lists every fault.
 */
export function loadSettings(variables: NodeJS.ProcessEnv): Settings {
  const present = Object.fromEntries(
    Object.entries(variables).filter(([, value]) => value !== undefined && value !== ''),
  );
  const { variables: given, faults: urlFaults, wordsOf } = readDatabaseUrl(present);
  const { environment, faults: wrongValues } = parseEnvironment(given);
  const certificates = readCertificates(given);
  const settings = environment && toSettings(environment, certificates);
  const faults = [
    ...unknownVariableFaults(variables, Object.keys(environmentSchema.shape)),
    ...urlFaults,
    ...wrongValues,
    ...targetFaults(given.BATCH_ALLOWED_TARGETS, (entries) => TargetList.allowed(entries)),
    ...targetFaults(given.BATCH_SERIAL_TARGETS, (entries) => TargetList.serial(entries)),
    ...conflictFaults(given),
    ...mailFaults(given),
    ...alertFaults(given),
    ...certificates.faults,
    ...certificateFaults(given),
    ...(settings === undefined ? [] : openAccessFaults(settings)),
  ];
  if (settings === undefined || faults.length > 0) {
    throw new InvalidSettingsError(faults.map((fault) => asWritten(fault, wordsOf)));
  }
  return settings;
}

/** A fault of a variable that the operator did not write names the part of `DATABASE_URL` that stands for it. */
function asWritten(fault: string, wordsOf: ReadonlyMap<string, string>): string {
  const [name = ''] = fault.split(':', 1);
  const words = wordsOf.get(name);
  return words === undefined ? fault : words + fault.slice(name.length);
}

/**
 * Checks each variable by itself.
 *
 * @returns the environment, undefined when a value is wrong; and what is wrong
 */
function parseEnvironment(given: NodeJS.ProcessEnv): { environment: Environment | undefined; faults: string[] } {
  const { data: environment, error } = environmentSchema.safeParse(given);
  const wrong = (error?.issues ?? []).map(({ path: [name] }) => String(name));
  return { environment, faults: wrong.map((name) => wrongValue(name, ownValue(given, name) ?? '')) };
}

/** Zod's own messages are written for developers, so operators never see them. */
function wrongValue(name: string, value: string): string {
  const { expected, words = [] } = expectationOf(name);
  const got = mayBeSecret(name) ? '' : `; got ${quoteForMessage(value)}${didYouMean(value, words)}`;
  return `${name}: expected ${expected}${got}`;
}

/** The value helps to find the fault. But a log must not show a password, and a URL may contain one. */
function mayBeSecret(name: string): boolean {
  return /URL|PASSWORD|SECRET/.test(name);
}

function targetFaults(text: string | undefined, parse: (entries: readonly string[]) => TargetList): readonly string[] {
  if (text === undefined) return [];
  try {
    parse(listOf(text));
    return [];
  } catch (error) {
    if (error instanceof InvalidSettingsError) return error.faults;
    throw error;
  }
}
