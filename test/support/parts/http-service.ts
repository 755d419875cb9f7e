import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ServiceRequest {
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
  /** Milliseconds, of a clock that never goes back. */
  at: number;
}

/** `hang`: it never answers. `cut`: it ends the connection. */
export type ServiceAnswer = { status: number; body?: unknown; headers?: Record<string, string> } | 'hang' | 'cut';

export interface HttpService {
  /** `http://127.0.0.1:<port>` */
  url: string;
  close(): Promise<void>;
}

/** A real HTTP server on 127.0.0.1 that answers as the test says. Bodies are sent as JSON, texts as they are. */
export async function startHttpService(answer: (request: ServiceRequest) => ServiceAnswer): Promise<HttpService> {
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const { url: path = '', headers } = request;
      const answered = answer({ path, headers, body: Buffer.concat(parts).toString(), at: performance.now() });
      if (answered === 'hang') return;
      if (answered === 'cut') {
        request.socket.destroy();
        return;
      }
      const { status, body = '', headers: own = {} } = answered;
      response.writeHead(status, { 'content-type': 'application/json', ...own });
      response.end(typeof body === 'string' ? body : JSON.stringify(body));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
