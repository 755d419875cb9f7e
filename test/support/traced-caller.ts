import 'reflect-metadata';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Payload, type MicroserviceOptions } from '@nestjs/microservices';
import { trace, type ProxyTracerProvider } from '@opentelemetry/api';
import type { NodeTracerProvider } from '@opentelemetry/sdk-trace-node';
import {
  BatchServiceClient,
  OnOperationsSettled,
  settledConsumerOptions,
  type IOperationsSettledEvent,
} from '../../src/client/index.js';

// A service of somebody else, with OpenTelemetry: it creates an operation over RabbitMQ within a span of its own, and is notified.
// Arguments: the address of the broker, the queue of the service, its own name.
const [url = '', queue = '', source = ''] = process.argv.slice(2);

let settled: (event: IOperationsSettledEvent) => void;
const notified = new Promise<IOperationsSettledEvent>((resolve) => (settled = resolve));

@Controller()
class StockController {
  @OnOperationsSettled()
  onSettled(@Payload() event: IOperationsSettledEvent): void {
    trace.getActiveSpan()?.setAttribute('shop.chunk', event.chunkId);
    settled(event);
  }
}

@Module({ controllers: [StockController] })
class ShopModule {}

const shop = await NestFactory.createMicroservice<MicroserviceOptions>(ShopModule, {
  ...settledConsumerOptions({ url, queue: `${source}.settled`, source }),
  logger: false,
});
await shop.listen();
const client = new BatchServiceClient({ transport: 'rmq', url, queue, source });
const result = await trace.getTracer('shop').startActiveSpan('checkout', async (span) => {
  try {
    return await client.createOperation({ operationType: 'insert', target: 'items', values: { id: 1 } });
  } finally {
    span.end();
  }
});
await notified;
await client.close();
await shop.close();
await ((trace.getTracerProvider() as ProxyTracerProvider).getDelegate() as NodeTracerProvider).shutdown();
process.stdout.write(`${result.id}\n`);
process.exit(0);
