import { Inject, Injectable } from '@nestjs/common';
import pg from 'pg';
import { setTimeout as delay } from 'node:timers/promises';

/** How often the batch runs, in both forms. */
export const BILLING_EVERY_MS = 200;
/** How long it takes to send an invoice: a mail server is slow. */
const SENDING_MS = 1000;

/** The batch of the shop. Both forms have the same: each run sends an invoice for each order that is not billed. */
@Injectable()
export class Billing {
  constructor(@Inject(pg.Pool) private readonly database: pg.Pool) {}

  async run(): Promise<void> {
    await this.database.query('insert into batch_runs (pid, started_at) values ($1, $2)', [process.pid, new Date()]);
    const { rows } = await this.database.query<{ id: string; address: string }>(
      `select id, address
       from orders
       where not billed
       order by id`,
    );
    for (const { id, address } of rows) {
      await send(address);
      await this.database.query('insert into invoices (order_id, pid) values ($1, $2)', [id, process.pid]);
      await this.database.query('update orders set billed = true where id = $1', [id]);
    }
  }
}

/** A mail library with a defect: without an address it throws in a callback, where nobody catches it. Node ends the process. */
async function send(address: string): Promise<void> {
  if (address === '') {
    setImmediate(() => {
      throw new Error('There is no address');
    });
  }
  await delay(SENDING_MS);
}
