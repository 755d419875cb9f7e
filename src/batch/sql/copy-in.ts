import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ClientBase } from 'pg';
import { optionalPackage } from '../optional-package.js';

/**
 * Sends rows by `COPY … FROM STDIN`. Nothing else may be under way on the connection. Its pipeline mode is switched off
 * meanwhile, because node-postgres refuses COPY there.
 */
export async function copyIn(client: ClientBase, text: string, rows: Iterable<string>): Promise<void> {
  const { from: copyFrom } = await optionalPackage('pg-copy-streams', 'COPY', () => import('pg-copy-streams'));
  const mode = client as { pipeline?: boolean };
  const { pipeline: isPipelined } = mode;
  mode.pipeline = false;
  try {
    await pipeline(Readable.from(rows), client.query(copyFrom(text)));
  } catch (error) {
    // Of an error the stream tells before the connection can take the next statement. A lost connection tells it again there.
    await client.query('').catch(() => undefined);
    throw error;
  } finally {
    mode.pipeline = isPipelined;
  }
}
