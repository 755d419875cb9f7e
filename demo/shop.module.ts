import { Module, type DynamicModule, type INestMicroservice } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { MicroserviceOptions } from '@nestjs/microservices';
import { BatchServiceClientModule } from '../src/client/index.js';
import type { DemoTransport } from './demo-transport.js';
import { Notifications, SettledListener } from './settled-listener.js';

/** All that another service needs: the client that sends operations, and a listener for notifications. */
@Module({ controllers: [SettledListener], providers: [Notifications] })
export class ShopModule {
  static with({ client }: DemoTransport): DynamicModule {
    return { module: ShopModule, imports: [BatchServiceClientModule.register(client)] };
  }
}

export async function startShop(transport: DemoTransport): Promise<INestMicroservice> {
  const shop = await NestFactory.createMicroservice<MicroserviceOptions>(ShopModule.with(transport), {
    ...transport.consumer,
    logger: ['error', 'warn'],
    abortOnError: false,
  });
  await shop.listen();
  return shop;
}
