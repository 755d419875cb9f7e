/** Addresses that only this machine can reach. */
const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|::1|\[::1\])$/i;

export function isLoopback(host: string): boolean {
  return LOOPBACK.test(host);
}

/** The address on which a process listens, and the variable that sets it. */
export interface Listener {
  variable: string;
  host: string;
}

/** RPC over TCP has no TLS, and each request contains its key. */
export function plainRpcFaults({ variable, host }: Listener, allowed: boolean): string[] {
  if (allowed || isLoopback(host)) return [];
  return [
    `${variable}: other machines can reach ${host}, and RPC over TCP is not encrypted, so others on the network can read API keys. Listen on 127.0.0.1, ` +
      'or use RabbitMQ with amqps:, or, if a private network protects it, set BATCH_ALLOW_OPEN_ACCESS=true',
  ];
}

/** Reports listeners that other machines can reach without an API key. */
export function openAccessFaults(listeners: readonly Listener[], allowed: boolean): string[] {
  if (allowed) return [];
  return listeners
    .filter(({ host }) => !isLoopback(host))
    .map(
      ({ variable, host }) =>
        `${variable}: other machines can reach ${host}, and no API keys are required: everybody who can connect may write to the database. ` +
        'Set BATCH_REQUIRE_API_KEY=true, or listen on 127.0.0.1, or, if a private network protects it, set BATCH_ALLOW_OPEN_ACCESS=true',
    );
}
