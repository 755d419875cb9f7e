import type { Redis } from 'ioredis';
import type { Socket } from 'node:net';

/**
 * ioredis listens for one error of a socket, and ends its use then. TLS may report another one, for example that the server sent an
 * alert after it had refused a certificate. An error that nobody listens for would end the process.
 */
export function ignoreLateErrors(client: Redis): void {
  const listen = (): void => {
    // ioredis makes a new socket for each attempt to connect, and does not tell of it in its types.
    const { stream } = client as unknown as { stream?: Socket };
    stream?.off('error', ignore).on('error', ignore);
  };
  client.on('connect', listen);
  client.on('error', listen);
}

const ignore = (): void => undefined;
