import { ServiceError } from '../services/errors/service-error.js';

export const MAX_WAIT_MS = 30_000;
export const DEFAULT_WAIT_MS = 10_000;

/**
 * How long to wait, in milliseconds.
 *
 * @throws ServiceError `INVALID_REQUEST`
 */
export function parseWaitTime(parameter: string, value: unknown): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MAX_WAIT_MS) return value;
  throw new ServiceError(
    'INVALID_REQUEST',
    `'${parameter}' must be a whole number of milliseconds from 0 to ${MAX_WAIT_MS}`,
    {
      parameter,
    },
  );
}
