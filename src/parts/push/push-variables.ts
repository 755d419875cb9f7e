import { z } from 'zod';
import { isProtectedAddress } from '../settings/addresses.js';
import { missingFaults, readVariables, variable, type Given, type Read } from '../settings/variables.js';
import type { PushSettings } from './push-settings.js';
import { readServiceAccount } from './service-account.js';

export const pushVariables = {
  PUSH_SERVICE_ACCOUNT: variable('the JSON of a service account, or the path of a file with it', z.string().optional()),
  PUSH_URL: variable(
    'a URL that begins with https://, without user and password',
    z.string().refine(isProtectedAddress).default('https://fcm.googleapis.com'),
  ),
};

export function readPushSettings(given: Given): Read<PushSettings> {
  const { values, faults } = readVariables(pushVariables, given);
  const text = given.PUSH_SERVICE_ACCOUNT;
  const account = text === undefined ? undefined : readServiceAccount(text);
  const all = [
    ...faults,
    ...missingFaults(given, ['PUSH_SERVICE_ACCOUNT'], ['PUSH_URL']),
    ...(account !== undefined && 'fault' in account
      ? [`PUSH_SERVICE_ACCOUNT: expected ${pushVariables.PUSH_SERVICE_ACCOUNT.expected}; ${account.fault}`]
      : []),
  ];
  if (!values || account === undefined || 'fault' in account) return { settings: undefined, faults: all };
  return { settings: { url: values.PUSH_URL, account }, faults: all };
}
