import type { INestApplication } from '@nestjs/common';
import type { MicroserviceOptions } from '@nestjs/microservices';
import { InFlightBudget } from '../../services/backpressure/in-flight-budget.js';
import type { Settings } from '../../services/config/settings.js';
import { MetricsService } from '../../services/observability/metrics.service.js';
import { MessageAttemptsService } from '../../services/rabbitmq/message-attempts.service.js';
import { RabbitmqService } from '../../services/rabbitmq/rabbitmq.service.js';
import { localTcp } from './local-tcp.js';
import { RabbitmqServer } from './rabbitmq.server.js';

/**
 * Gives the message patterns of the application a transport: RabbitMQ if a broker is configured, else TCP for local
 * use. In production without a broker there is only REST. The transport serves after `app.startAllMicroservices()`. It
 * ends in `app.close()`, before any connection to the database is closed.
 */
export function connectRpc(app: INestApplication, settings: Settings): void {
  const { rabbitmq, rpcTransport } = settings;
  if (rpcTransport === 'tcp') app.connectMicroservice<MicroserviceOptions>(localTcp(settings));
  if (rabbitmq === undefined) return;
  const strategy = new RabbitmqServer(
    { ...settings, rabbitmq },
    app.get(RabbitmqService, { strict: false }),
    app.get(MetricsService, { strict: false }),
    app.get(MessageAttemptsService, { strict: false }),
    app.get(InFlightBudget, { strict: false }),
  );
  app.connectMicroservice<MicroserviceOptions>({ strategy });
}
