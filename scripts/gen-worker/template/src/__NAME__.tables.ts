import { Injectable, type OnModuleInit } from '@nestjs/common';
import { InjectDatabase } from 'batch-service/worker';
import { DataSource, type EntityManager } from 'typeorm';

// `target_id` is not unique. That a job takes effect once is the promise of `runOnce`, not of this table.
const CREATE = `
  create schema if not exists "__SNAKE__";
  create table if not exists "__SNAKE__".results (
    id bigint generated always as identity primary key,
    target_id text not null,
    text text not null,
    created_at timestamptz not null default now()
  );`;

/** Two processes that create the same table at once would disturb one another. */
const LOCK = `select pg_advisory_xact_lock(hashtextextended('__SNAKE__.results', 0))`;

/** Creates the tables of this worker at its start. */
@Injectable()
export class __CLASS__Tables implements OnModuleInit {
  constructor(@InjectDatabase() private readonly database: DataSource) {}

  async onModuleInit(): Promise<void> {
    await this.database.transaction(async (tx) => {
      await tx.query(LOCK);
      await tx.query(CREATE);
    });
  }
}

/** Writes the effect of a job. */
export async function insertResult(tx: EntityManager, targetId: string, text: string): Promise<{ id: number }> {
  const [row] = await tx.query<{ id: string }[]>(
    `insert into "__SNAKE__".results (target_id, text) values ($1, $2) returning id`,
    [targetId, text],
  );
  return { id: Number(row!.id) };
}
