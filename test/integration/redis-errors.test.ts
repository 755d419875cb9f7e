import { once } from 'node:events';
import type { Socket } from 'node:net';
import { Redis } from 'ioredis';
import { expect, inject, it } from 'vitest';
import { ignoreLateErrors } from '../../src/services/tls/ignore-late-errors.js';

it('a second error of a connection to Redis ends no process: only the first one is told', async () => {
  const client = new Redis(inject('services')!.redis.url, { retryStrategy: null });
  const told: string[] = [];
  client.on('error', ({ message }: Error) => void told.push(message));
  ignoreLateErrors(client);
  await once(client, 'ready');
  const { stream } = client as unknown as { stream: Socket };
  stream.emit('error', new Error('first'));
  stream.emit('error', new Error('second'));
  expect(told).toEqual(['first']);
  client.disconnect();
});
