import type { SecureContextOptions } from 'node:tls';
import type { RmqOptions } from '@nestjs/microservices';
import { BatchServiceError } from './client-errors.js';

/** Options of the broker's connection, as amqp-connection-manager takes them: TLS, heartbeat, connection name. */
export type RmqSocketOptions = NonNullable<RmqOptions['options']>['socketOptions'];

/**
 * For `amqps:`, as Node's TLS takes them: the text of PEM files, not their paths. Without `ca` the public CAs are
 * trusted. `cert` and `key` are needed if the broker requires a certificate.
 */
export type TlsOptions = Pick<SecureContextOptions, 'ca' | 'cert' | 'key' | 'passphrase'>;

export interface RmqConnectionOptions {
  transport: 'rmq';
  /** `amqp://user:password@host:port/vhost`, or `amqps:`. */
  url?: string;
  /** Several nodes of one cluster, which are tried in turn. Use instead of `url`. */
  urls?: string[];
  /** `BATCH_SERVICE_RMQ_QUEUE` of the service. Default: `batch_service`. */
  queue?: string;
  /**
   * The broker's user of this connection, sent with every message. The broker checks it, and the service stores it.
   * Required if the service has `BATCH_RMQ_REQUIRE_USER_ID`.
   */
  userId?: string;
  /** Certificates for `amqps:`. */
  tls?: TlsOptions;
  socketOptions?: RmqSocketOptions;
}

/** For local use, without a broker. */
export interface TcpConnectionOptions {
  transport: 'tcp';
  /** Default: `127.0.0.1`, the only address on which the service listens. */
  host?: string;
  /** `BATCH_RPC_TCP_PORT` of the service. Default: 3001. */
  port?: number;
  /** `bsk_<id>_<secret>`, if the service requires a key. Over RabbitMQ the broker's user is used instead. */
  apiKey?: string;
}

export interface CallOptions {
  /** How long one attempt waits for its answer, in milliseconds. Default: 10 000. */
  timeoutMs?: number;
  /** How many more attempts follow the first one when the failure is transient. Default: 4. */
  retries?: number;
}

/** A call takes at most `(retries + 1) × timeoutMs` and the pauses in between, which double from 0.25 s to 5 s. */
export type BatchServiceClientOptions = (RmqConnectionOptions | TcpConnectionOptions) &
  CallOptions & {
    /** Set on every operation without its own `source`. */
    source?: string;
    /**
     * `createOperations` splits its list into requests of at most this many bytes. A single operation that is larger is
     * refused. Default: 8 MiB. Keep it below `BATCH_MAX_BODY_KB` of the service and the broker's largest message (16
     * MiB by default in both).
     */
    maxRequestBytes?: number;
  };

export interface ResolvedConnection {
  /** For messages, without the password. */
  address: string;
  wire:
    | { transport: 'rmq'; urls: string[]; queue: string; userId: string | undefined; socketOptions: RmqSocketOptions }
    | { transport: 'tcp'; host: string; port: number; apiKey: string | undefined };
}

export interface ResolvedOptions extends ResolvedConnection {
  source: string | undefined;
  call: Required<CallOptions>;
  maxRequestBytes: number;
}

/** A longer Node timer ends at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** @throws BatchServiceError `INVALID_OPTIONS`, which names the option */
export function resolveOptions(options: BatchServiceClientOptions): ResolvedOptions {
  return {
    ...resolveConnection(options),
    source: options.source,
    call: {
      timeoutMs: atLeast(1, 'timeoutMs', options.timeoutMs ?? 10_000, LONGEST_TIMER_MS),
      retries: atLeast(0, 'retries', options.retries ?? 4),
    },
    maxRequestBytes: atLeast(1024, 'maxRequestBytes', options.maxRequestBytes ?? 8 * 1024 * 1024),
  };
}

function resolveConnection(options: BatchServiceClientOptions): ResolvedConnection {
  switch (options.transport) {
    case 'rmq':
      refuseKey(options);
      return resolveRmq(options);
    case 'tcp': {
      const { host = '127.0.0.1', port = 3001 } = options;
      const apiKey = keyText(options.apiKey);
      return {
        address: `tcp://${host}:${port}`,
        wire: { transport: 'tcp', host, port: atLeast(1, 'port', port), apiKey },
      };
    }
    default:
      options satisfies never;
      throw invalid('transport', "'rmq' or 'tcp'", (options as { transport?: unknown }).transport);
  }
}

function resolveRmq(options: RmqConnectionOptions & { source?: string }): ResolvedConnection {
  const { url, urls, queue = 'batch_service', userId, source } = options;
  const nodes = urls ?? [url];
  if (nodes.length === 0) throw invalid('urls', 'at least one URL', urls);
  const checked = nodes.map((node) => amqpUrl(urls ? 'urls' : 'url', node));
  return {
    address: `queue '${queue}' of ${checked.map(({ host, pathname }) => host + pathname.replace(/\/$/, '')).join(', ')}`,
    wire: {
      transport: 'rmq',
      urls: checked.map(({ href }) => href),
      queue,
      userId,
      socketOptions: toSocketOptions(options, {
        connection_name: `batch-service client${source === undefined ? '' : ` of ${source}`}`,
      }),
    },
  };
}

/** The given options, and defaults that suit the service. */
export function toSocketOptions(
  { tls, socketOptions }: Pick<RmqConnectionOptions, 'tls' | 'socketOptions'>,
  clientProperties?: object,
): RmqSocketOptions {
  return {
    // The connection manager's own five seconds would be most of the delay after a restart of the broker.
    reconnectTimeInSeconds: 0.5,
    ...socketOptions,
    connectionOptions: {
      // Otherwise a request would wait for the acknowledgement of the previous one: up to 40 ms.
      noDelay: true,
      ...(clientProperties && { clientProperties }),
      ...tls,
      ...socketOptions?.connectionOptions,
    },
  };
}

/** Refuses an API key: it would not be sent, but the caller would believe that it protects something. */
function refuseKey(options: object): void {
  if (!('apiKey' in options) || options.apiKey === undefined) return;
  throw invalid('apiKey', "none with the transport 'rmq', where the broker's user counts", 'one');
}

/** The value is a secret, so the message does not repeat it. */
function keyText(apiKey: unknown): string | undefined {
  if (apiKey === undefined || (typeof apiKey === 'string' && apiKey.startsWith('bsk_'))) return apiKey;
  throw invalid('apiKey', 'bsk_<id>_<secret>', 'something else');
}

function amqpUrl(option: string, text: string | undefined): URL {
  const url = text !== undefined && URL.canParse(text) ? new URL(text) : undefined;
  // The value may contain a password, so the message does not repeat it.
  if (!url || !['amqp:', 'amqps:'].includes(url.protocol)) {
    throw invalid(option, 'amqp://user:password@host:port/vhost', text === undefined ? undefined : 'something else');
  }
  return url;
}

function atLeast(least: number, option: string, value: number, atMost = Number.MAX_SAFE_INTEGER): number {
  const range = atMost === Number.MAX_SAFE_INTEGER ? `from ${least}` : `from ${least} to ${atMost}`;
  if (!Number.isInteger(value) || value < least || value > atMost) throw invalid(option, `an integer ${range}`, value);
  return value;
}

function invalid(option: string, expected: string, got: unknown): BatchServiceError {
  return new BatchServiceError(
    'INVALID_OPTIONS',
    `The Batch Service client cannot be created: ${option}: expected ${expected}; got ${String(got)}`,
  );
}
