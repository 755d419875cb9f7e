import type pg from 'pg';

interface Digest {
  count: number;
  checksum: string;
}

/**
 * Whether a queue holds these payloads, each once, in whatever order.
 *
 * @param stored a query for what the queue has, as `jsonb` in its only column, `payload`
 * @throws when number or checksum differ
 */
export async function verifyPayloads(admin: pg.Pool, stored: string, payloads: readonly object[]): Promise<void> {
  const expected = await digest(admin, 'select value as payload from jsonb_array_elements($1::jsonb)', [
    JSON.stringify(payloads),
  ]);
  const found = await digest(admin, stored);
  if (found.count === expected.count && found.checksum === expected.checksum) return;
  throw new Error(
    `The queue holds ${found.count} payloads with checksum ${found.checksum}, ` +
      `not ${expected.count} with ${expected.checksum}`,
  );
}

/** As `jsonb` a payload has one spelling, whatever the order of its fields was. */
async function digest(admin: pg.Pool, payloads: string, parameters: readonly unknown[] = []): Promise<Digest> {
  const { rows } = await admin.query<Digest>(
    `select count(*)::int as count, coalesce(sum(hashtextextended(payload::text, 0)), 0)::text as checksum
     from (${payloads}) p`,
    [...parameters],
  );
  return rows[0]!;
}
