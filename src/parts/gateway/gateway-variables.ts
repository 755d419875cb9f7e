import { z } from 'zod';
import { isProtectedAddress, isWebAddress } from '../settings/addresses.js';
import { missingFaults, readVariables, variable, type Given, type Read } from '../settings/variables.js';
import { UNENCRYPTED } from '../settings/unencrypted.js';
import type { GatewaySettings } from './gateway-settings.js';

const SECOND = 1000;
const ADDRESS = 'a URL that begins with https:// or http://, without user and password';

export const gatewayVariables = {
  GATEWAY_URL: variable(ADDRESS, z.string().refine(isWebAddress).optional()),
  GATEWAY_TOKEN_URL: variable(ADDRESS, z.string().refine(isWebAddress).optional()),
  GATEWAY_CLIENT_ID: variable('a text', z.string().optional()),
  GATEWAY_CLIENT_SECRET: variable('a text', z.string().optional()),
  GATEWAY_SCOPE: variable('a text', z.string().optional()),
  GATEWAY_TIMEOUT_SECONDS: variable(
    'a whole number from 1 to 600',
    z.coerce.number().int().min(1).max(600).default(30),
  ),
  GATEWAY_ATTEMPTS: variable('a whole number from 1 to 20', z.coerce.number().int().min(1).max(20).default(5)),
};

const NEEDED = ['GATEWAY_URL', 'GATEWAY_TOKEN_URL', 'GATEWAY_CLIENT_ID', 'GATEWAY_CLIENT_SECRET'] as const;

/** @param allowUnencrypted secrets may go to another machine without encryption */
export function readGatewaySettings(given: Given, allowUnencrypted: boolean): Read<GatewaySettings> {
  const { values, faults } = readVariables(gatewayVariables, given);
  const all = [
    ...faults,
    ...missingFaults(given, NEEDED, Object.keys(gatewayVariables)),
    ...(allowUnencrypted
      ? []
      : (['GATEWAY_URL', 'GATEWAY_TOKEN_URL'] as const).flatMap((name) => plainFaults(name, given[name]))),
  ];
  const { GATEWAY_URL: url, GATEWAY_TOKEN_URL: tokenUrl } = values ?? {};
  const { GATEWAY_CLIENT_ID: clientId, GATEWAY_CLIENT_SECRET: clientSecret } = values ?? {};
  if (!values || !url || !tokenUrl || !clientId || !clientSecret) return { settings: undefined, faults: all };
  const settings = {
    ...{ url, tokenUrl, clientId, clientSecret },
    scope: values.GATEWAY_SCOPE,
    timeoutMs: values.GATEWAY_TIMEOUT_SECONDS * SECOND,
    attempts: values.GATEWAY_ATTEMPTS,
  };
  return { settings, faults: all };
}

function plainFaults(name: string, address: string | undefined): string[] {
  if (address === undefined || !isWebAddress(address) || isProtectedAddress(address)) return [];
  return [`${name}: would send secrets unencrypted to another machine; use https://, or ${UNENCRYPTED.cure}`];
}
