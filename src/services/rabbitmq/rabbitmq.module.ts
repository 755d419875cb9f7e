import { Module } from '@nestjs/common';
import { MessageAttemptsService } from './message-attempts.service.js';
import { RabbitmqService } from './rabbitmq.service.js';

/** Connections to the broker, where one is configured, and what is remembered of its messages. */
@Module({
  providers: [RabbitmqService, MessageAttemptsService],
  exports: [RabbitmqService, MessageAttemptsService],
})
export class RabbitmqModule {}
