import type pg from 'pg';
import type { Observations, StoredOperation, Tables } from './observations.js';

/** Cheaper than the view `batch.batch_operations`, which looks up every chunk. */
const OPERATIONS = `
  select o.id, o.lane,
    case when p.seq is not null then 'pending' when d.seq is not null then 'scheduled' else coalesce(x.status, 'completed') end
      as status,
    x.code
  from batch.operations o
  left join batch.pending p on p.lane = o.lane and p.priority = o.priority and p.seq = o.seq
  left join batch.delayed d on d.seq = o.seq
  left join batch.outcomes x on x.seq = o.seq`;

const TABLES: Readonly<Record<keyof Tables, string>> = {
  counters: 'select key, hits::int, total::int from counters',
  history: 'select key, n from history order by seq',
  latest: 'select key, n from latest',
  profiles: 'select key, n from profiles',
  slots: 'select key, n from slots',
  parents: 'select key from parents',
  children: 'select key, parent from children',
};

const CHUNKS = `select (extract(epoch from settled_at) * 1000)::float8 as at from batch.chunks order by 1`;
const RPC_STORED = `
  select distinct (extract(epoch from created_at) * 1000)::float8 as at from batch.operations where source like 'rpc-%' order by 1`;

/** Reads what the run has left in the database. Nothing may run any more. */
export async function observeDatabase(client: pg.ClientBase): Promise<Omit<Observations, 'queued'>> {
  const tables: Partial<Record<keyof Tables, unknown[]>> = {};
  for (const [name, query] of Object.entries(TABLES)) {
    tables[name as keyof Tables] = (await client.query<object>(query)).rows;
  }
  return {
    operations: (await client.query<StoredOperation>(OPERATIONS)).rows,
    tables: tables as unknown as Tables,
    chunksAt: await times(client, CHUNKS),
    rpcStoredAt: await times(client, RPC_STORED),
  };
}

async function times(client: pg.ClientBase, query: string): Promise<number[]> {
  return (await client.query<{ at: number }>(query)).rows.map(({ at }) => at);
}
