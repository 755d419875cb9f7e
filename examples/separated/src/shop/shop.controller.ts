import { Body, Controller, Get, Inject, Post, Query } from '@nestjs/common';
import pg from 'pg';

/** The API of a shop. Both forms have the same. */
@Controller()
export class ShopController {
  constructor(@Inject(pg.Pool) private readonly database: pg.Pool) {}

  @Post('orders')
  async order(@Body('address') address: string): Promise<{ id: string }> {
    const { rows } = await this.database.query<{ id: string }>(
      `insert into orders (address)
       values ($1)
       returning id`,
      [address],
    );
    return rows[0]!;
  }

  @Get('orders')
  async orders(): Promise<{ open: number; billed: number }> {
    const { rows } = await this.database.query<{ open: number; billed: number }>(
      `select count(*) filter (where not billed)::int as open,
              count(*) filter (where billed)::int as billed
       from orders`,
    );
    return rows[0]!;
  }

  /** A report that computes for some seconds. Node runs one thing at a time, so nothing else of this process runs meanwhile. */
  @Get('report')
  report(@Query('seconds') seconds: string): { from: string; to: string } {
    const from = new Date();
    const end = from.getTime() + Number(seconds) * 1000;
    while (Date.now() < end) Math.hypot(Math.random(), Math.random());
    return { from: from.toISOString(), to: new Date().toISOString() };
  }

  /** A report with a defect: it throws in a callback, where nobody catches it. Node ends the process. */
  @Get('broken-report')
  brokenReport(): Promise<never> {
    setImmediate(() => {
      throw new Error('The report cannot be drawn');
    });
    return new Promise(() => undefined);
  }
}
