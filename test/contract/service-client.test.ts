import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ServiceClient } from '../../src/services/database/service-client.js';

/** Asks for a way to authenticate that no client knows. */
const UNKNOWN_MECHANISM = Buffer.from('R\0\0\0\x0b\0\0\0\x0aX\0\0');

describe('a connection that PostgreSQL does not let in', () => {
  const server = createServer();
  let port: number;
  beforeEach(async () => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    ({ port } = server.address() as AddressInfo);
  });
  afterEach(() => server.close());

  it('is closed, so that a command that needs it can end', async () => {
    const accepted = once(server, 'connection') as Promise<[Socket]>;
    const client = new ServiceClient({ host: '127.0.0.1', port, user: 'nobody' });
    const connecting = client.connect();
    const [socket] = await accepted;
    socket.on('error', () => undefined);
    socket.once('data', () => socket.write(UNKNOWN_MECHANISM));
    const closed = once(socket, 'close');
    await expect(connecting).rejects.toThrow(/SASL/);
    await closed;
  }, 5000);
});
