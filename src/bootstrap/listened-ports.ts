import { once } from 'node:events';
import { createServer } from 'node:net';
import type { Settings } from '../services/config/settings.js';

export interface ListenedPort {
  host: string;
  port: number;
  /** Absent where the host is fixed. */
  hostVariable?: string;
  portVariable: string;
}

/** The ports on which a process with these settings listens. */
export function listenedPorts({ role, http, workerHealthPort, rpcTransport, rpcTcp }: Settings): ListenedPort[] {
  if (role === 'worker') {
    const portVariable = 'BATCH_WORKER_HEALTH_PORT';
    return workerHealthPort === undefined
      ? []
      : [{ host: http.host, port: workerHealthPort, hostVariable: 'HTTP_HOST', portVariable }];
  }
  const rest = { ...http, hostVariable: 'HTTP_HOST', portVariable: 'HTTP_PORT' };
  const rpc = { ...rpcTcp, portVariable: 'BATCH_RPC_TCP_PORT' };
  return rpcTransport === 'tcp' ? [rest, rpc] : [rest];
}

/**
 * Listens for a moment.
 *
 * @throws Node's error when that is not possible
 */
export async function tryPort({ host, port }: ListenedPort): Promise<void> {
  const server = createServer().listen(port, host);
  await once(server, 'listening');
  const closed = once(server, 'close');
  server.close();
  await closed;
}
