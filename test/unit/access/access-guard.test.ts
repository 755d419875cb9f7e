import { Reflector } from '@nestjs/core';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import { RmqContext } from '@nestjs/microservices';
import { describe, expect, it } from 'vitest';
import { AccessGuard } from '../../../src/controllers/access.guard.js';
import { grantedAccess } from '../../../src/controllers/caller-access.js';
import { OpenToAll, RequireScope } from '../../../src/controllers/require-scope.js';
import { KeyedTcpContext } from '../../../src/controllers/rpc/keyed-tcp-context.js';
import { FULL_ACCESS } from '../../../src/services/access/access.js';
import { AccessService } from '../../../src/services/access/access.service.js';
import type { DatabaseService } from '../../../src/services/database/database.service.js';
import { testSettings } from '../../support/test-settings.js';

class Endpoints {
  forgotten(): void {}

  @OpenToAll()
  open(): void {}

  @RequireScope('read')
  read(): void {}
}

const nobodyKnown = { query: () => Promise.resolve({ rows: [], rowCount: 0, command: 'SELECT' }) };
const guard = new AccessGuard(
  new Reflector(),
  new AccessService(
    nobodyKnown as unknown as DatabaseService,
    testSettings({ BATCH_REQUIRE_API_KEY: 'true', API_KEY_ENCRYPTION_SECRET: 'x'.repeat(32) }),
  ),
);

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
    await expect(guard.canActivate(contextOf('forgotten', 'rpc', new RmqContext([] as never)))).rejects.toThrow(
      'no scope',
    );
  });

  it('lets everybody into what is open', async () => {
    expect(await guard.canActivate(contextOf('open', 'http', {}))).toBe(true);
  });

  it('lets nobody in whom nobody has identified', async () => {
    const code = 'API_KEY_REQUIRED';
    await expect(guard.canActivate(contextOf('read', 'http', {}))).rejects.toMatchObject({ code });
    await expect(guard.canActivate(contextOf('read', 'rpc', {}))).rejects.toMatchObject({ code });
    const tcp = new KeyedTcpContext([] as never, undefined);
    await expect(guard.canActivate(contextOf('read', 'rpc', tcp))).rejects.toMatchObject({ code });
    expect(grantedAccess(tcp)).toBeUndefined();
  });

  it('lets those in who come from the broker', async () => {
    const carrier = new RmqContext([] as never);
    expect(await guard.canActivate(contextOf('read', 'rpc', carrier))).toBe(true);
    expect(grantedAccess(carrier)).toBe(FULL_ACCESS);
  });
});
