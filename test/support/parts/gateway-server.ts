import { startHttpService, type ServiceAnswer, type ServiceRequest } from './http-service.js';

export const CLIENT_ID = 'worker';
/** It has characters that a form encodes. */
export const CLIENT_SECRET = 'gateway:secret+word';

export interface GatewayServer {
  url: string;
  tokenUrl: string;
  /** The tokens that it has given away, oldest first. */
  issued: string[];
  /** Requests to the token endpoint. */
  tokenRequests: ServiceRequest[];
  /** Requests with messages, also refused ones. */
  requests: ServiceRequest[];
  /** Requests with a token that is not valid or no longer. */
  unauthorized: number;
  /** Bodies of accepted messages, by their Idempotency-Key. */
  accepted: Map<string, unknown[]>;
  /** Takes all tokens back. */
  revoke(): void;
  /** The next answers to messages with a valid token, instead of an acceptance. */
  answerNext(...answers: ServiceAnswer[]): void;
  /** The next answers of the token endpoint. */
  answerTokensNext(...answers: ServiceAnswer[]): void;
  close(): Promise<void>;
}

/** A message gateway with tokens that it checks and that expire. */
export async function startGatewayServer({ lifeSeconds = 3600 } = {}): Promise<GatewayServer> {
  const valid = new Map<string, number>();
  const next: ServiceAnswer[] = [];
  const nextTokens: ServiceAnswer[] = [];
  const service = await startHttpService((request) => (request.path === '/token' ? token(request) : message(request)));
  const server: GatewayServer = {
    url: `${service.url}/messages`,
    tokenUrl: `${service.url}/token`,
    issued: [],
    tokenRequests: [],
    requests: [],
    unauthorized: 0,
    accepted: new Map(),
    revoke: () => valid.clear(),
    answerNext: (...answers) => next.push(...answers),
    answerTokensNext: (...answers) => nextTokens.push(...answers),
    close: () => service.close(),
  };
  return server;

  function token(request: ServiceRequest): ServiceAnswer {
    server.tokenRequests.push(request);
    const scripted = nextTokens.shift();
    if (scripted !== undefined) return scripted;
    const form = [CLIENT_ID, CLIENT_SECRET].map((text) => encodeURIComponent(text).replaceAll('%20', '+'));
    const expected = `Basic ${Buffer.from(form.join(':')).toString('base64')}`;
    if (request.headers.authorization !== expected) return { status: 401, body: { error: 'invalid_client' } };
    const value = `access-token-number-${server.issued.length + 1}-of-${new URL(service.url).port}`;
    server.issued.push(value);
    valid.set(value, request.at + lifeSeconds * 1000);
    return { status: 200, body: { access_token: value, token_type: 'Bearer', expires_in: lifeSeconds } };
  }

  function message(request: ServiceRequest): ServiceAnswer {
    server.requests.push(request);
    const value = request.headers.authorization?.replace('Bearer ', '') ?? '';
    if (request.at >= (valid.get(value) ?? 0)) {
      server.unauthorized++;
      return { status: 401, body: { error: 'invalid_token' } };
    }
    const scripted = next.shift();
    if (scripted !== undefined) return scripted;
    const id = String(request.headers['idempotency-key']);
    server.accepted.set(id, [...(server.accepted.get(id) ?? []), JSON.parse(request.body)]);
    return { status: 202, body: { accepted: id } };
  }
}
