import { Reflector } from '@nestjs/core';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import { TcpContext } from '@nestjs/microservices';
import type { Repository } from 'typeorm';
import { describe, expect, it } from 'vitest';
import { AccessGuard } from '../../../src/controllers/access.guard.js';
import { grantedAccess } from '../../../src/controllers/caller-access.js';
import { OpenToAll, RequireScope } from '../../../src/controllers/require-scope.js';
import { OrderedRmqContext } from '../../../src/controllers/rpc/ordered-rmq-context.js';
import type { ApiKeyEntity } from '../../../src/entities/api-key.entity.js';
import { FULL_ACCESS } from '../../../src/services/access/access.js';
import { AccessService } from '../../../src/services/access/access.service.js';
import { RateLimitService } from '../../../src/services/access/rate-limit.service.js';
import { testSettings, type TestEnvironment } from '../../support/test-settings.js';

class Endpoints {
  forgotten(): void {}

  @OpenToAll()
  open(): void {}

  @RequireScope('read')
  read(): void {}
}

const nobodyKnown = { findBy: () => Promise.resolve([]) };
const guardOf = (environment: TestEnvironment = {}): AccessGuard => {
  const keys = { BATCH_REQUIRE_API_KEY: 'true', API_KEY_ENCRYPTION_SECRET: 'x'.repeat(32) };
  const settings = testSettings({ ...keys, BATCH_SERVICE_RMQ_URL: 'amqp://broker', ...environment });
  const access = new AccessService(nobodyKnown as unknown as Repository<ApiKeyEntity>, settings);
  return new AccessGuard(new Reflector(), access, new RateLimitService(settings));
};
const guard = guardOf();
const fromBroker = (user?: string) => new OrderedRmqContext([] as never, {} as never, user);

function contextOf(endpoint: keyof Endpoints, type: 'http' | 'rpc', carrier: object): ExecutionContextHost {
  const args = type === 'http' ? [carrier, {}] : [{}, carrier];
  const context = new ExecutionContextHost(args, Endpoints, Endpoints.prototype[endpoint]);
  context.setType(type);
  return context;
}

describe('the guard of endpoints and patterns', () => {
  it('lets nobody into what declares no scope', async () => {
    await expect(guard.canActivate(contextOf('forgotten', 'http', {}))).rejects.toThrow(
      'Endpoints.forgotten declares no scope',
    );
    await expect(guard.canActivate(contextOf('forgotten', 'rpc', fromBroker()))).rejects.toThrow('no scope');
  });

  it('lets everybody into what is open', async () => {
    expect(await guard.canActivate(contextOf('open', 'http', {}))).toBe(true);
  });

  it('lets nobody in whom nobody has identified', async () => {
    const code = 'API_KEY_REQUIRED';
    await expect(guard.canActivate(contextOf('read', 'http', {}))).rejects.toMatchObject({ code });
    await expect(guard.canActivate(contextOf('read', 'rpc', {}))).rejects.toMatchObject({ code });
    const tcp = new TcpContext([{}, 'read', { apiKey: undefined }] as never);
    await expect(guard.canActivate(contextOf('read', 'rpc', tcp))).rejects.toMatchObject({ code });
    expect(grantedAccess(tcp)).toBeUndefined();
  });

  it('lets those in who come from the broker, and knows their user', async () => {
    const [nameless, shop] = [fromBroker(), fromBroker('shop')];
    for (const carrier of [nameless, shop]) {
      expect(await guard.canActivate(contextOf('read', 'rpc', carrier))).toBe(true);
    }
    expect(grantedAccess(nameless)).toEqual(FULL_ACCESS);
    expect(grantedAccess(shop)).toEqual({ ...FULL_ACCESS, user: 'shop' });
  });

  it('lets nobody in from the broker without a user, where one is required', async () => {
    const strict = guardOf({ BATCH_RMQ_REQUIRE_USER_ID: 'true' });
    const code = 'USER_ID_REQUIRED';
    await expect(strict.canActivate(contextOf('read', 'rpc', fromBroker()))).rejects.toMatchObject({ code });
    expect(await strict.canActivate(contextOf('read', 'rpc', fromBroker('shop')))).toBe(true);
  });
});
