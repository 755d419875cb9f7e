import type pg from 'pg';

const BLOCK = 50_000;

export interface Truth {
  /** Acknowledged, and not stored. */
  lost: number;
  /** Inserts and increments that are stored, and what the tables have of them. */
  inserts: { stored: number; applied: number };
  increments: { stored: number; applied: number };
  failed: number;
}

/** Compares what was acknowledged, what is stored, and what the tables say. To be asked when nothing is pending. */
export async function truthOf(client: pg.Pool, acknowledged: readonly string[]): Promise<Truth> {
  let lost = 0;
  for (let from = 0; from < acknowledged.length; from += BLOCK) {
    const { rows } = await client.query<{ lost: number }>(
      `select count(*)::int as lost from unnest($1::uuid[]) a(id)
       where not exists (select from batch.operations o where o.id = a.id)`,
      [acknowledged.slice(from, from + BLOCK)],
    );
    lost += rows[0]!.lost;
  }
  const { rows } = await client.query<Record<'a' | 'b' | 'c' | 'd' | 'failed', number>>(
    `select (select count(*)::int from batch.operations o join batch.shapes s on s.id = o.shape where s.type = 'insert') as a,
       (select count(*)::int from ledger) as b,
       (select count(*)::int from batch.operations o join batch.shapes s on s.id = o.shape where s.type = 'increment') as c,
       (select sum(n)::int from counters) as d,
       (select count(*)::int from batch.outcomes where status = 'failed') as failed`,
  );
  const { a, b, c, d, failed } = rows[0]!;
  return { lost, inserts: { stored: a, applied: b }, increments: { stored: c, applied: d }, failed };
}

export const isTrue = ({ lost, inserts, increments, failed }: Truth): boolean =>
  lost === 0 && failed === 0 && inserts.stored === inserts.applied && increments.stored === increments.applied;
