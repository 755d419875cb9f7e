import type { Redis } from 'ioredis';
import type { Socket } from 'node:net';

/**
 * ioredis listens for one error of a socket. TLS may report another one, for example an alert of the server after it
 * has refused a certificate. An error without a listener would end the process.
 */
export function ignoreLateErrors(client: Redis): void {
  const listen = (): void => {
    // ioredis makes a new socket for each attempt to connect. Its types do not declare it.
    const { stream } = client as unknown as { stream?: Socket };
    stream?.off('error', ignore).on('error', ignore);
  };
  client.on('connect', listen);
  client.on('error', listen);
}

const ignore = (): void => undefined;
