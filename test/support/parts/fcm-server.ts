import { generateKeyPairSync, verify, type KeyObject } from 'node:crypto';
import { startHttpService, type ServiceAnswer, type ServiceRequest } from './http-service.js';

export const PROJECT = 'shop-4711';

export interface FcmServer {
  url: string;
  /** The JSON of its service account. */
  account: Readonly<Record<string, string>>;
  /** Claims of the assertions that it has accepted. */
  claims: Record<string, unknown>[];
  /** Header of the last assertion. */
  header: Record<string, unknown>;
  messages: { path: string; body: unknown }[];
  revoke(): void;
  answerNext(...answers: ServiceAnswer[]): void;
  answerTokensNext(...answers: ServiceAnswer[]): void;
  close(): Promise<void>;
}

/** Plays the token endpoint of Google and the HTTP v1 API of FCM. It checks the signature and the claims of each assertion. */
export async function startFcmServer(): Promise<FcmServer> {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const next: ServiceAnswer[] = [];
  const nextTokens: ServiceAnswer[] = [];
  const valid = new Set<string>();
  const service = await startHttpService((request) => (request.path === '/token' ? token(request) : message(request)));
  const tokenUri = `${service.url}/token`;
  const server: FcmServer = {
    url: service.url,
    account: {
      ...{ type: 'service_account', project_id: PROJECT, private_key_id: 'key-1', token_uri: tokenUri },
      client_email: 'worker@shop-4711.iam.gserviceaccount.com',
      private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    },
    ...{ claims: [], header: {}, messages: [] },
    revoke: () => valid.clear(),
    answerNext: (...answers) => next.push(...answers),
    answerTokensNext: (...answers) => nextTokens.push(...answers),
    close: () => service.close(),
  };
  return server;

  function token({ body }: ServiceRequest): ServiceAnswer {
    const scripted = nextTokens.shift();
    if (scripted !== undefined) return scripted;
    const form = new URLSearchParams(body);
    const claims = verifiedClaims(form.get('assertion') ?? '', publicKey);
    if (form.get('grant_type') !== 'urn:ietf:params:oauth:grant-type:jwt-bearer' || !isCurrent(claims)) {
      return { status: 400, body: { error: 'invalid_grant', error_description: 'Invalid JWT Signature.' } };
    }
    server.claims.push(claims!);
    const value = `fcm-access-token-${server.claims.length}`;
    valid.add(value);
    return { status: 200, body: { access_token: value, expires_in: 3599, token_type: 'Bearer' } };
  }

  function verifiedClaims(assertion: string, key: KeyObject): Record<string, unknown> | undefined {
    const [header = '', claims = '', signature = ''] = assertion.split('.');
    if (!verify('sha256', Buffer.from(`${header}.${claims}`), key, Buffer.from(signature, 'base64url')))
      return undefined;
    const read = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>;
    server.header = read(header);
    return read(claims);
  }

  function isCurrent(claims: Record<string, unknown> | undefined): boolean {
    const seconds = Date.now() / 1000;
    return (
      claims !== undefined && claims.aud === tokenUri && Number(claims.iat) <= seconds && Number(claims.exp) > seconds
    );
  }

  function message({ path, headers, body }: ServiceRequest): ServiceAnswer {
    if (!valid.has(headers.authorization?.replace('Bearer ', '') ?? '')) {
      return { status: 401, body: { error: { code: 401, message: 'invalid credentials', status: 'UNAUTHENTICATED' } } };
    }
    const scripted = next.shift();
    if (scripted !== undefined) return scripted;
    server.messages.push({ path, body: JSON.parse(body) });
    return { status: 200, body: { name: `projects/${PROJECT}/messages/${server.messages.length}` } };
  }
}

/** An error in the form of FCM. */
export function fcmError(status: number, name: string, errorCode?: string): ServiceAnswer {
  const details = [
    { '@type': 'type.googleapis.com/google.rpc.BadRequest', fieldViolations: [] },
    ...(errorCode === undefined ? [] : [{ '@type': 'type.googleapis.com/google.firebase.fcm.v1.FcmError', errorCode }]),
  ];
  return { status, body: { error: { code: status, message: 'a reason', status: name, details } } };
}
