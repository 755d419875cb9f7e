import type { QueryRunner } from 'typeorm';

export interface NewIndex {
  /** Without its schema, which is `batch`. */
  name: string;
  /** What follows `on`: table, method, columns, condition. */
  on: string;
}

/**
 * For tables that may be large: readers and writers go on while the index is built. Outside of a transaction only
 * (`transaction = false`), so a migration that uses it has to bear being run again. An index that an earlier attempt left half
 * built is dropped and built anew.
 */
export async function createIndexConcurrently(runner: QueryRunner, { name, on }: NewIndex): Promise<void> {
  const found = `select indisvalid as valid from pg_index where indexrelid = to_regclass($1)`;
  const [index] = (await runner.query(found, [`batch.${name}`])) as { valid: boolean }[];
  if (index?.valid === true) return;
  await waitingLonger(runner, async () => {
    if (index !== undefined) await runner.query(`drop index concurrently batch.${name}`);
    await runner.query(`create index concurrently ${name} on ${on}`);
  });
}

/** It waits for every older transaction, but nobody waits behind it: so it may wait as long as the whole migration. */
async function waitingLonger(runner: QueryRunner, work: () => Promise<void>): Promise<void> {
  const { lockWaitMs } = runner.data as { lockWaitMs?: () => number };
  const [before] = (await runner.query(`select current_setting('lock_timeout') as value`)) as { value: string }[];
  const set = (value: string): Promise<unknown> =>
    runner.query(`select set_config('lock_timeout', $1, false)`, [value]);
  // 0: as long as it takes.
  await set(String(lockWaitMs === undefined ? 0 : Math.max(1, Math.ceil(lockWaitMs()))));
  await work();
  await set(before!.value);
}
