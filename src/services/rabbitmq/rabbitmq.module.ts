import { Module } from '@nestjs/common';
import { RabbitmqService } from './rabbitmq.service.js';

/** Connections to the broker, where one is configured. */
@Module({ providers: [RabbitmqService], exports: [RabbitmqService] })
export class RabbitmqModule {}
