import type { FilesSettings } from '../files/files-settings.js';
import { readFilesSettings } from '../files/files-variables.js';
import type { GatewaySettings } from '../gateway/gateway-settings.js';
import { readGatewaySettings } from '../gateway/gateway-variables.js';
import type { MailSettings } from '../mail/mail-settings.js';
import { readMailSettings } from '../mail/mail-variables.js';
import { PartSettingsError } from '../part-error.js';
import type { PushSettings } from '../push/push-settings.js';
import { readPushSettings } from '../push/push-variables.js';
import { unencryptedVariables } from './unencrypted.js';
import { readVariables, type Given } from './variables.js';

/** The settings of each part. Undefined: it is not configured. */
export interface PartSettings {
  mail: MailSettings | undefined;
  files: FilesSettings | undefined;
  push: PushSettings | undefined;
  gateway: GatewaySettings | undefined;
}

/**
 * Reads the variables of all parts. An empty variable counts as absent.
 *
 * @throws PartSettingsError with every fault
 */
export function readPartSettings(environment: NodeJS.ProcessEnv): PartSettings {
  const { settings, faults } = read(environment);
  if (faults.length > 0) throw new PartSettingsError(faults);
  return settings;
}

/** What is wrong with the variables of all parts, one line for each fault. A program adds it to the faults of its own variables. */
export function partFaults(environment: NodeJS.ProcessEnv): string[] {
  return read(environment).faults;
}

function read(environment: NodeJS.ProcessEnv): { settings: PartSettings; faults: string[] } {
  const given: Given = Object.fromEntries(
    Object.entries(environment).filter(([, value]) => value !== undefined && value !== ''),
  );
  const common = readVariables(unencryptedVariables, given);
  // A wrong value is a fault by itself, and leads to no others.
  const allowUnencrypted = common.values?.PARTS_ALLOW_UNENCRYPTED ?? true;
  const mail = readMailSettings(given);
  const files = readFilesSettings(given, allowUnencrypted);
  const push = readPushSettings(given);
  const gateway = readGatewaySettings(given, allowUnencrypted);
  return {
    settings: { mail: mail.settings, files: files.settings, push: push.settings, gateway: gateway.settings },
    faults: [common, mail, files, push, gateway].flatMap(({ faults }) => faults),
  };
}
