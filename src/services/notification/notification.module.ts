import { Module } from '@nestjs/common';
import { SETTINGS, type Settings } from '../config/settings.js';
import { ObservabilityModule } from '../observability/observability.module.js';
import { RabbitmqModule } from '../rabbitmq/rabbitmq.module.js';
import { RabbitmqService } from '../rabbitmq/rabbitmq.service.js';
import { WakeUpModule } from '../wake-up/wake-up.module.js';
import { NotificationHealth } from './notification-health.js';
import { NotifierService } from './notifier.service.js';
import { RabbitmqPublisher } from './rabbitmq-publisher.service.js';
import { SETTLED_PUBLISHER, type SettledPublisher } from './settled-publisher.js';
import { TcpPublisher } from './tcp-publisher.service.js';

/** For roles with a worker. If neither a broker nor a TCP consumer is configured, no notifier runs. */
@Module({
  imports: [RabbitmqModule, WakeUpModule, ObservabilityModule],
  providers: [
    {
      provide: SETTLED_PUBLISHER,
      inject: [SETTINGS, RabbitmqService],
      useFactory: (settings: Settings, rabbitmq: RabbitmqService): SettledPublisher | undefined => {
        if (settings.rabbitmq !== undefined) return new RabbitmqPublisher(rabbitmq);
        if (settings.notificationTcpUrl !== undefined) return new TcpPublisher(settings.notificationTcpUrl);
        return undefined;
      },
    },
    NotifierService,
    NotificationHealth,
  ],
  exports: [NotifierService],
})
export class NotificationModule {}
