import { Injectable, type OnModuleInit } from '@nestjs/common';
import { InjectDatabase, type WorkerJob } from 'batch-service/worker';
import { DataSource, type EntityManager } from 'typeorm';
import type { Charge } from './payment-provider.js';
import type { PaymentData } from './payment.schema.js';

// One payment an order: the primary key is the last defence.
const CREATE = `
  create schema if not exists payment;
  create table if not exists payment.payments (
    order_id text primary key,
    amount int not null,
    currency text not null,
    status text not null check (status in ('charged', 'declined')),
    charge_id text unique,
    reason text,
    created_at timestamptz not null default now()
  );`;

/** Two processes that create the same table at once would disturb one another. */
const LOCK = `select pg_advisory_xact_lock(hashtextextended('payment.payments', 0))`;

/** Creates the tables of this worker at its start. */
@Injectable()
export class PaymentTables implements OnModuleInit {
  constructor(@InjectDatabase() private readonly database: DataSource) {}

  async onModuleInit(): Promise<void> {
    await this.database.transaction(async (tx) => {
      await tx.query(LOCK);
      await tx.query(CREATE);
    });
  }
}

/** Records what became of an order. */
export async function insertPayment(tx: EntityManager, job: WorkerJob<PaymentData>, charge: Charge): Promise<void> {
  const { amount, currency } = job.data;
  await tx.query(
    `insert into payment.payments (order_id, amount, currency, status, charge_id, reason) values ($1, $2, $3, $4, $5, $6)`,
    [
      ...[job.targetId, amount, currency, charge.status],
      charge.status === 'charged' ? charge.chargeId : null,
      charge.status === 'declined' ? charge.reason : null,
    ],
  );
}
