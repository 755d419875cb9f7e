import { Module } from '@nestjs/common';
import { RabbitmqModule } from '../rabbitmq/rabbitmq.module.js';
import { AlertsService } from './alerts.service.js';
import { DeliveryService } from './delivery.service.js';
import { FactsReader } from './facts.reader.js';
import { ParkedMessageCount } from './parked-message-count.js';

/** Of every role. Without a channel it only lists the alerts of earlier. */
@Module({
  imports: [RabbitmqModule],
  providers: [AlertsService, DeliveryService, FactsReader, ParkedMessageCount],
  exports: [AlertsService],
})
export class AlertsModule {}
