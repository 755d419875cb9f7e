/**
 * A NestJS microservice that returns what it is sent, for `npm run bench`: `echo-main.ts URL QUEUE`. It shows the cost
 * of RPC over RabbitMQ without work.
 */
import 'reflect-metadata';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MessagePattern, Payload, Transport, type MicroserviceOptions } from '@nestjs/microservices';
import { SEND_AT_ONCE } from '../stage/send-at-once.js';
import { ECHO_PATTERN, ECHO_QUEUE_OPTIONS, ECHO_UP } from './echo-protocol.js';

@Controller()
class EchoController {
  @MessagePattern(ECHO_PATTERN)
  echo(@Payload() payload: unknown): unknown {
    return payload;
  }
}

@Module({ controllers: [EchoController] })
class EchoModule {}

const [url, queue] = process.argv.slice(2);
if (url === undefined || queue === undefined) throw new Error('echo-main.ts URL QUEUE');

const echo = await NestFactory.createMicroservice<MicroserviceOptions>(EchoModule, {
  logger: ['error', 'warn'],
  transport: Transport.RMQ,
  // The rest is NestJS' default: messages are not acknowledged, and as many come as there are.
  options: { urls: [url], queue, queueOptions: ECHO_QUEUE_OPTIONS, socketOptions: SEND_AT_ONCE },
});
echo.enableShutdownHooks();
await echo.listen();
console.log(ECHO_UP);
