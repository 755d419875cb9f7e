import type { LoggerService } from '@nestjs/common';
import { describe, expect, it } from 'vitest';
import { CatalogService } from '../../src/services/catalog/catalog.service.js';
import { MetricsService } from '../../src/services/observability/metrics.service.js';
import { connectAmqpCaller } from '../support/amqp.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { FrameSocket } from '../support/frame-socket.js';
import type { TestEnvironment } from '../support/test-settings.js';

const PRIVATE = 'what_only_its_caller_may_read';

/** Refused with words that quote it. */
const EVENT = {
  pattern: 'create_operation',
  data: { operationType: 'insert', target: PRIVATE, values: { id: PRIVATE } },
};

function logging(): { logger: LoggerService; text: () => string } {
  const lines: unknown[] = [];
  const write = (...parts: unknown[]): void => void lines.push(...parts);
  return {
    logger: { log: write, error: write, warn: write, debug: write, verbose: write, fatal: write },
    text: () => JSON.stringify(lines),
  };
}

async function overTcp({ settings }: TestApp): Promise<() => Promise<void>> {
  const frames = await FrameSocket.open(settings.rpcTcp.port);
  frames.write(EVENT);
  return async () => void frames.socket.destroy();
}

async function overRabbitmq({ settings }: TestApp): Promise<() => Promise<void>> {
  const { url, queue } = settings.rabbitmq!;
  const amqp = await connectAmqpCaller(url, queue);
  await amqp.emit(EVENT.pattern, EVENT.data);
  return () => amqp.close();
}

describe('the log of an event that is refused', () => {
  it.each<[string, TestEnvironment, (service: TestApp) => Promise<() => Promise<void>>]>([
    ['TCP', { BATCH_SERVICE_RMQ_URL: '' }, overTcp],
    ['RabbitMQ', {}, overRabbitmq],
  ])('has the code, and nothing of what its caller sent, over %s', async (_transport, environment, send) => {
    const { logger, text } = logging();
    const service = await startTestApp({ ...environment, BATCH_ROLE: 'api' }, { logger });
    try {
      const close = await send(service);
      await eventually(() => expect(text()).toMatch(/create_operation: UNKNOWN_TARGET/));
      await close();
      expect(text()).not.toContain(PRIVATE);
    } finally {
      await service.close();
    }
  });
});

describe('an event for a table that is made just now', () => {
  it('is stored, also after events for it were parked while there was none', async () => {
    const service = await startTestApp({ BATCH_ROLE: 'api' });
    const { url, queue } = service.settings.rabbitmq!;
    const amqp = await connectAmqpCaller(url, queue);
    const parked = async (): Promise<number> => {
      const { body } = await service.app.get(MetricsService).render();
      return Number(/^batch_messages_parked_total\{code="UNKNOWN_TARGET"\} (\d+)$/m.exec(body)?.[1] ?? 0);
    };
    const visit = (id: number) =>
      amqp.emit('create_operation', { operationType: 'insert', target: 'visits', values: { id } });
    try {
      for (let round = 1; round <= 5; round += 1) {
        await visit(round);
        await eventually(async () => expect(await parked()).toBe(round), { intervalMs: 2 });
        await service.database.client.query('create table visits (id int primary key)');
        await visit(round);
        await eventually(async () => {
          const { rows } = await service.database.client.query('select seq from batch.operations');
          expect(rows).toHaveLength(round);
        });
        await service.database.client.query('drop table visits');
        // Or it would be accepted for the table that is gone.
        service.app.get(CatalogService).invalidate();
      }
      expect(await parked()).toBe(5);
    } finally {
      await amqp.close();
      await service.close();
    }
  });
});
