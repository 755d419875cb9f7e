import { Module } from '@nestjs/common';
import { MessageAttemptsService } from './message-attempts.service.js';
import { ParkedMessagesService } from './parked-messages.service.js';
import { RabbitmqService } from './rabbitmq.service.js';

/** Connections to the broker, if one is configured, and the records about its messages. */
@Module({
  providers: [RabbitmqService, MessageAttemptsService, ParkedMessagesService],
  exports: [RabbitmqService, MessageAttemptsService, ParkedMessagesService],
})
export class RabbitmqModule {}
