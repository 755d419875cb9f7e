import { assertSchemaCompatibility, LATEST_SCHEMA_VERSION } from 'bullmq';
import type { Client } from 'pg';
import { QUEUE_SCHEMA } from './queue-connection.js';

/**
 * True when BullMQ's tables are there and new enough. Then nothing has to be created, and the user needs no right to.
 *
 * @throws what BullMQ says of a schema that is newer than itself
 */
export async function isQueueSchemaPresent(client: Client): Promise<boolean> {
  const { rows } = await client.query<{ present: boolean }>('select to_regclass($1) is not null as present', [
    `${QUEUE_SCHEMA}.migration`,
  ]);
  if (rows[0]?.present !== true) return false;
  return (await assertSchemaCompatibility(client, QUEUE_SCHEMA)) >= LATEST_SCHEMA_VERSION;
}
