import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface PlayedRequest {
  /** The header Idempotency-Key. */
  key: string;
  body: unknown;
}

/** What is answered; undefined: nothing, ever. */
export type Answer = { status: number; body: unknown } | undefined;

export interface PlayedServer {
  url: string;
  close(): Promise<void>;
}

/** A server on a free port of 127.0.0.1 that plays another company's. */
export async function startPlayedServer(answer: (request: PlayedRequest) => Answer): Promise<PlayedServer> {
  const server = createServer((request, response) => void respond(request, response, answer)).listen(0, '127.0.0.1');
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

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  answer: (request: PlayedRequest) => Answer,
): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const key = String(request.headers['idempotency-key']);
  const given = answer({ key, body: JSON.parse(Buffer.concat(chunks).toString()) as unknown });
  if (given !== undefined)
    response.writeHead(given.status, { 'content-type': 'application/json' }).end(JSON.stringify(given.body));
}
