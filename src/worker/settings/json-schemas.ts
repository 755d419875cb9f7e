import { z } from 'zod';
import { expecting, rangeOf } from './expecting.js';
import { LOG_LEVELS } from './worker-settings.js';

/** What LOGGER_CONFIG holds. */
export const loggerSchema = z.strictObject({
  level: expecting(`one of ${LOG_LEVELS.join(', ')}`, z.enum(LOG_LEVELS).default('info')),
  format: expecting('json or pretty', z.enum(['json', 'pretty']).default('json')),
});

/** What one entry of `instances` holds. */
export const instanceSchema = z.strictObject({
  dbms: expecting('"postgres", the only database that is supported', z.literal('postgres')),
  host: expecting('the name or address of a host', z.string().min(1)),
  port: expecting(rangeOf(1, 65_535), z.int().min(1).max(65_535).default(5432)),
  user: expecting('the name of a user', z.string().min(1)),
  password: expecting('a text', z.string().default('')),
  database: expecting('the name of a database', z.string().min(1)),
  poolSize: expecting(rangeOf(1, 500), z.int().min(1).max(500).default(10)),
  ssl: expecting(
    'one of disable, require, verify-full',
    z.enum(['disable', 'require', 'verify-full']).default('disable'),
  ),
});

/** What DATABASE_CONFIG holds, without what is in its instances: their faults are told by name. */
export const databaseConfigSchema = z.strictObject({
  instances: expecting(
    'an object with one database or more by name, each name of 1 to 63 letters, digits and _ -',
    z.record(z.string().regex(/^[\w-]{1,63}$/), z.unknown()).refine((instances) => Object.keys(instances).length > 0),
  ),
});
