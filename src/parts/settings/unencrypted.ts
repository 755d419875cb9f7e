import { z } from 'zod';
import { variable } from './variables.js';

/** For networks that are protected in another way. */
export const UNENCRYPTED = {
  name: 'PARTS_ALLOW_UNENCRYPTED',
  cure: 'where a network of your own protects it, set PARTS_ALLOW_UNENCRYPTED=true',
} as const;

export const unencryptedVariables = {
  PARTS_ALLOW_UNENCRYPTED: variable(
    'true or false',
    z
      .enum(['true', 'false'])
      .default('false')
      .transform((text) => text === 'true'),
  ),
};
