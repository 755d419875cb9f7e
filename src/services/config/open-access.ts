import type { Settings } from './settings.js';

/** Addresses that only this machine can reach. */
const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|::1|\[::1\])$/i;

export function isLoopback(host: string): boolean {
  return LOOPBACK.test(host);
}

/** An address on which the process listens, and the variable that sets it. */
export interface Listener {
  variable: string;
  host: string;
}

/** What is wrong with the addresses on which a process with these settings listens. */
export function listenerFaults(settings: Settings): string[] {
  const { required, allowOpen } = settings.access;
  if (allowOpen) return [];
  return required ? rpcListeners(settings).map(plainRpcFault) : openListeners(settings).map(openAccessFault);
}

/** The addresses on which other machines can use the process without an API key. */
export function openListeners(settings: Settings): Listener[] {
  return settings.access.required ? [] : [...httpListeners(settings), ...rpcListeners(settings)];
}

function httpListeners({ role, workerHealthPort, http }: Settings): Listener[] {
  if (role === 'worker' && workerHealthPort === undefined) return [];
  return reachable({ variable: 'HTTP_HOST', host: http.host });
}

function rpcListeners({ role, rabbitmq, rpcTcp }: Settings): Listener[] {
  if (role === 'worker' || rabbitmq !== undefined) return [];
  return reachable({ variable: 'BATCH_RPC_TCP_HOST', host: rpcTcp.host });
}

function reachable(listener: Listener): Listener[] {
  return isLoopback(listener.host) ? [] : [listener];
}

function openAccessFault({ variable, host }: Listener): string {
  return (
    `${variable}: other machines reach ${host}, and no API keys are required: whoever can connect may write to the database. ` +
    'Set BATCH_REQUIRE_API_KEY=true, or listen on 127.0.0.1, or, where a network of your own protects it, set BATCH_ALLOW_OPEN_ACCESS=true'
  );
}

/** RPC over TCP has no TLS, and each request carries its key. */
function plainRpcFault({ variable, host }: Listener): string {
  return (
    `${variable}: other machines reach ${host}, and RPC over TCP is not encrypted: an API key can be read on its way. Listen on 127.0.0.1, ` +
    'or use RabbitMQ with amqps:, or, where a network of your own protects it, set BATCH_ALLOW_OPEN_ACCESS=true'
  );
}
