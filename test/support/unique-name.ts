import { randomBytes } from 'node:crypto';

/**
 * A name that no other test, file or run uses, fit for an identifier of PostgreSQL, a queue or a vhost: lower case, `_`,
 * `prefix` and ten random characters.
 */
export function uniqueName(prefix: string): string {
  return `${prefix}_${randomBytes(5).toString('hex')}`;
}
