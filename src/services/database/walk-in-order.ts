import type { SqlStatement } from '../../interfaces/sql.js';

const WALKS = ['enable_bitmapscan', 'enable_seqscan', 'enable_hashjoin', 'enable_mergejoin'];

/**
 * Until `walkAsUsual` or the end of the transaction, statements walk an index in order. Without new statistics of a
 * table, PostgreSQL expects few rows, and would read all of them to sort or to join. With these settings it reads
 * indexes, so a plan can be kept. Planning took a millisecond for each chunk. They may still walk a whole index: see
 * `foundBy`.
 */
export const walkInOrder = (): SqlStatement => ({
  name: 'batch.walk_in_order',
  text: `select ${settingsOf("'off'", "'force_generic_plan'")}`,
});

/**
 * `null` is the default value of the session. One statement sets all of them: set one by one, they were ten of the 21
 * statements of a chunk.
 */
function settingsOf(walks: string, planCacheMode: string): string {
  const settings = [...WALKS.map((setting) => [setting, walks]), ['plan_cache_mode', planCacheMode]];
  return settings.map(([setting, value]) => `set_config('${setting}', ${value}, true)`).join(', ');
}

/** What `walkAsUsual` selects. */
export const AS_USUAL = settingsOf('null', 'null');

export const walkAsUsual = (): SqlStatement => ({ name: 'batch.walk_as_usual', text: `select ${AS_USUAL}` });
