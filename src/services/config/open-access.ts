/** Addresses on which only this machine is heard. */
const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|::1|\[::1\])$/i;

export function isLoopback(host: string): boolean {
  return LOOPBACK.test(host);
}

/** Where a process listens, and by which variable. */
export interface Listener {
  variable: string;
  host: string;
}

/** RPC over TCP has no TLS, and each request carries its key. */
export function plainRpcFaults({ variable, host }: Listener, allowed: boolean): string[] {
  if (allowed || isLoopback(host)) return [];
  return [
    `${variable}: other machines reach ${host}, and RPC over TCP is not encrypted: an API key can be read on its way. Listen on 127.0.0.1, ` +
      'or use RabbitMQ with amqps:, or, where a network of your own protects it, set BATCH_ALLOW_OPEN_ACCESS=true',
  ];
}

/** What is wrong with listeners that other machines reach, where nobody needs an API key. */
export function openAccessFaults(listeners: readonly Listener[], allowed: boolean): string[] {
  if (allowed) return [];
  return listeners
    .filter(({ host }) => !isLoopback(host))
    .map(
      ({ variable, host }) =>
        `${variable}: other machines reach ${host}, and no API keys are required: whoever can connect may write to the database. ` +
        'Set BATCH_REQUIRE_API_KEY=true, or listen on 127.0.0.1, or, where a network of your own protects it, set BATCH_ALLOW_OPEN_ACCESS=true',
    );
}
