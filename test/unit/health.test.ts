import { describe, expect, it, vi } from 'vitest';
import { HealthService } from '../../src/services/health/health.service.js';

describe('readiness', () => {
  it('is given when every part is well', async () => {
    const health = new HealthService();
    health.register({ name: 'database', check: () => Promise.resolve(undefined) });
    health.register({ name: 'poller', check: () => undefined });

    expect(await health.readiness()).toEqual({
      status: 'ready',
      parts: { database: { status: 'up' }, poller: { status: 'up' } },
    });
  });

  it('names each part that is down with its reason, and still the ones that are up', async () => {
    const health = new HealthService();
    health.register({ name: 'database', check: () => Promise.reject(new Error('connection refused')) });
    health.register({ name: 'rabbitmq', check: () => 'not connected: rpc' });
    health.register({
      name: 'poller',
      check: () => {
        throw new Error('thrown at once');
      },
    });
    health.register({ name: 'migrations', check: () => undefined });

    expect(await health.readiness()).toEqual({
      status: 'not_ready',
      parts: {
        database: { status: 'down', reason: 'connection refused' },
        rabbitmq: { status: 'down', reason: 'not connected: rpc' },
        poller: { status: 'down', reason: 'thrown at once' },
        migrations: { status: 'up' },
      },
    });
  });

  it('takes a part that says nothing within a second for down', async () => {
    const health = new HealthService();
    health.register({ name: 'database', check: () => new Promise(() => undefined) });

    expect((await health.readiness()).parts.database).toEqual({ status: 'down', reason: 'no answer within 1000 ms' });
  });

  it('does not ask a part that took itself out', async () => {
    const health = new HealthService();
    const unregister = health.register({ name: 'poller', check: () => 'stopped' });

    unregister();

    expect(await health.readiness()).toEqual({ status: 'ready', parts: {} });
  });

  it('is given without a part that can be done without, which is called degraded', async () => {
    const health = new HealthService();
    health.register({ name: 'database', check: () => undefined });
    health.register({ name: 'redis', optional: true, check: () => 'not connected' });

    expect(await health.readiness()).toEqual({
      status: 'ready',
      parts: { database: { status: 'up' }, redis: { status: 'degraded', reason: 'not connected' } },
    });
  });

  it('asks the parts once for many probes, and again half a second later', async () => {
    vi.useFakeTimers();
    try {
      const health = new HealthService();
      let asked = 0;
      health.register({ name: 'database', check: () => void (asked += 1) });

      await Promise.all(Array.from({ length: 50 }, () => health.readiness()));
      await health.readiness();
      expect(asked).toBe(1);
      vi.advanceTimersByTime(501);
      await health.readiness();
      expect(asked).toBe(2);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('liveness', () => {
  it('asks no part of readiness', () => {
    const health = new HealthService();
    health.register({ name: 'database', check: () => 'gone' });
    health.registerLiveness({ name: 'poller', stuck: () => undefined });

    expect(health.liveness()).toEqual({ status: 'alive', uptimeSeconds: expect.any(Number) as number });
  });

  it('names what is stuck, and why', () => {
    const health = new HealthService();
    health.registerLiveness({ name: 'poller', stuck: () => 'a poll has been running for 700 s' });

    expect(health.liveness()).toMatchObject({
      status: 'stuck',
      reasons: { poller: 'a poll has been running for 700 s' },
    });
  });

  it('asks the parts again soon while one is down, and seldom while all are up', async () => {
    const health = new HealthService();
    let asked = 0;
    let reason: string | undefined = 'starting';
    health.register({ name: 'part', check: () => ((asked += 1), reason) });
    const pause = () => new Promise((resolve) => setTimeout(resolve, 80));
    expect((await health.readiness()).status).toBe('not_ready');
    expect((await health.readiness()).status).toBe('not_ready');
    expect(asked).toBe(1);
    reason = undefined;
    await pause();
    expect((await health.readiness()).status).toBe('ready');
    await pause();
    expect((await health.readiness()).status).toBe('ready');
    expect(asked).toBe(2);
  });
});
