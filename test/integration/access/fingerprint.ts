import type pg from 'pg';

/** What the tables hold, each in one text: all of schema `batch` but what the service writes by itself, and the target. */
export async function fingerprint(client: pg.Pool, ...targets: string[]): Promise<Record<string, string>> {
  const { rows } = await client.query<{ name: string }>(
    `select format('%I.%I', schemaname, tablename) as name from pg_tables
     where schemaname = 'batch' and tablename not in ('api_keys', 'migrations', 'workers', 'stats_samples') order by 1`,
  );
  const prints: Record<string, string> = {};
  for (const name of [...rows.map((row) => row.name), ...targets]) {
    const { rows: found } = await client.query<{ print: string }>(
      `select count(*) || ' ' || coalesce(md5(string_agg(t::text, '|' order by t::text)), '') as print from ${name} t`,
    );
    prints[name] = found[0]!.print;
  }
  return prints;
}
