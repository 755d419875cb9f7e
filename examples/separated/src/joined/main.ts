import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Interval, ScheduleModule } from '@nestjs/schedule';
import { Billing, BILLING_EVERY_MS } from '../shop/billing.js';
import { shopDatabase } from '../shop/shop-database.js';
import { ShopController } from '../shop/shop.controller.js';

/** Runs the batch inside the process of the API. */
@Injectable()
class BillingSchedule {
  private running = false;

  constructor(private readonly billing: Billing) {}

  @Interval(BILLING_EVERY_MS)
  async tick(): Promise<void> {
    // Keeps a second run away while one is running: in this process, and in no other.
    if (this.running) return;
    this.running = true;
    try {
      await this.billing.run();
    } finally {
      this.running = false;
    }
  }
}

@Module({
  imports: [ScheduleModule.forRoot()],
  controllers: [ShopController],
  providers: [shopDatabase, Billing, BillingSchedule],
})
class JoinedModule {}

const app = await NestFactory.create(JoinedModule, { logger: ['error'] });
await app.listen(Number(process.env.PORT), '127.0.0.1');
