import { Module } from '@nestjs/common';
import { MessageAttemptsService } from './message-attempts.service.js';
import { RabbitmqService } from './rabbitmq.service.js';

/** Connections to the broker, if one is configured, and the records about its messages. */
@Module({
  providers: [RabbitmqService, MessageAttemptsService],
  exports: [RabbitmqService, MessageAttemptsService],
})
export class RabbitmqModule {}
