import type { INestApplication, INestMicroservice } from '@nestjs/common';
import type { MicroserviceOptions } from '@nestjs/microservices';
import { AccessService } from '../../services/access/access.service.js';
import { InFlightBudget } from '../../services/backpressure/in-flight-budget.js';
import type { Settings } from '../../services/config/settings.js';
import { MetricsService } from '../../services/observability/metrics.service.js';
import { MessageAttemptsService } from '../../services/rabbitmq/message-attempts.service.js';
import { RabbitmqService } from '../../services/rabbitmq/rabbitmq.service.js';
import { RabbitmqServer } from './rabbitmq.server.js';
import { TcpServer } from './tcp.server.js';

/**
 * Gives the message patterns of the application a transport: RabbitMQ if a broker is configured, else TCP. It serves
 * after `app.startAllMicroservices()` and drains in `app.close()`, before any connection to the database is closed.
 */
export function connectRpc(app: INestApplication, settings: Settings): INestMicroservice {
  return app.connectMicroservice<MicroserviceOptions>({ strategy: createServer(app, settings) });
}

function createServer(app: INestApplication, settings: Settings): RabbitmqServer | TcpServer {
  const { rabbitmq } = settings;
  const metrics = app.get(MetricsService, { strict: false });
  const budget = app.get(InFlightBudget, { strict: false });
  if (rabbitmq === undefined) {
    return new TcpServer(settings, metrics, app.get(AccessService, { strict: false }), budget);
  }
  return new RabbitmqServer(
    { ...settings, rabbitmq },
    app.get(RabbitmqService, { strict: false }),
    metrics,
    app.get(MessageAttemptsService, { strict: false }),
    budget,
  );
}
