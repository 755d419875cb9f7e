import type { Duplex } from 'node:stream';
import { Logger } from '@nestjs/common';
import { connect, type ChannelModel, type RecoveringChannelModel } from 'amqplib';
import { messageOf } from '../errors/message-of.js';
import { withTimeout } from '../observability/with-timeout.js';
import type { Certificates } from '../tls/certificates.js';
import { clientTls } from '../config/client-tls.js';
import { brokerHint, brokerRefusal } from '../tls/tls-refusal.js';
import { checkBrokerVersion } from './broker-version.js';
import { RefusedByBrokerError } from './refused-by-broker.error.js';
import { dropUnreadableHeaders } from './unreadable-headers.js';
import { writeTogether } from './write-together.js';

export interface RabbitmqConnectionOptions {
  url: string;
  /** For `amqps:`. */
  certificates?: Certificates | undefined;
  /** The purpose of the connection. It appears in the log, in health and in RabbitMQ's management UI. */
  name: string;
  /** Declares and opens what the connection is for, after every connect. If it fails, the connect has failed. */
  setUp: (model: ChannelModel) => Promise<void>;
  /** How long `setUp` may take before it is started again. Default: 10 000. */
  setUpTimeoutMs?: number;
}

/**
 * An attempt costs little, and callers and receivers wait for it. So the service connects at most a second after the
 * broker is back.
 */
const RECOVERY = { initialDelay: 100, maxDelay: 1000, factor: 2, jitter: 0.2 };
const CONNECT_TIMEOUT_MS = 10_000;
/**
 * The broker gives up a silent connection after two to three of these intervals. Only then do its messages go to
 * another process.
 */
const HEARTBEAT_SECONDS = 5;
/** A broker that is just starting may not answer a declaration, although it still sends heartbeats. */
const SET_UP_TIMEOUT_MS = 10_000;
/** A broker that disappeared silently never answers the close, and the library would wait for the answer for ever. */
const CLOSE_TIMEOUT_MS = 1000;
/** The first attempts are logged, then every thirtieth. */
const TOLD_ATTEMPTS = 5;
const TOLD_EVERY = 30;

/**
 * A connection to RabbitMQ that reconnects by itself, with back-off, and runs `setUp` again. It promises that `setUp`
 * has run whenever it is connected, and that nothing that the broker does ends the process. Its user decides what to
 * send, and calls `restart` when a channel died alone.
 */
export class RabbitmqConnection {
  private readonly logger: Logger;
  private recovering: RecoveringChannelModel | undefined;
  /** Undefined while it is not connected. Its user only reads it. */
  model: ChannelModel | undefined;
  /** The connection that was opened last. It may not be set up yet. */
  private latest: ChannelModel | undefined;
  /** Makes the set-up that is running fail. */
  private failSetUp: (error: Error) => void = () => undefined;
  private blockedReason: string | undefined;

  constructor(private readonly options: RabbitmqConnectionOptions) {
    this.logger = new Logger(`RabbitMQ ${options.name}`);
  }

  get name(): string {
    return this.options.name;
  }

  get connected(): boolean {
    return this.model !== undefined;
  }

  /** Why the broker accepts no messages at the moment (memory or disk alarm). Undefined when it accepts them. */
  get blocked(): string | undefined {
    return this.blockedReason;
  }

  /**
   * Connects. An unreachable broker is not a failure: the service is useful without it, and connects when the broker is
   * there.
   *
   * @throws errors that waiting cannot cure: a topology conflict, refused credentials, an unknown virtual host, too old
   * a broker, certificates
   */
  async open(): Promise<void> {
    const recovering = await connect(withHeartbeat(this.options.url), {
      ...clientTls(this.options.certificates),
      timeout: CONNECT_TIMEOUT_MS,
      // Otherwise data would wait for the acknowledgement of earlier data: up to 40 ms.
      noDelay: true,
      clientProperties: { connection_name: `batch-service ${this.options.name}` },
      recovery: { ...RECOVERY, waitForConnect: false, setup: (model: ChannelModel) => this.setUp(model) },
    });
    this.recovering = recovering;
    this.watch(recovering);
    await firstAttempt(recovering, this.options.url).catch(async (error: unknown) => {
      await this.close();
      throw error;
    });
  }

  /**
   * Drops the connection, so that everything is set up again. For a channel that was closed alone, or a consumer that
   * was cancelled. Called during `setUp`, it makes that attempt fail.
   */
  restart(reason: string): void {
    this.failSetUp(new Error(`${reason} while the connection was set up`));
    const model = this.model;
    // When a connection ends, its channels close first. A moment later it is known whether the connection or only the
    // channel ended.
    setImmediate(() => {
      if (model === undefined || this.model !== model) return;
      this.logger.warn(`${reason}; connecting again`);
      void end(model);
    });
  }

  /** Ends the connection within a second. If the broker does not answer, it is cut. */
  async close(): Promise<void> {
    const recovering = this.recovering;
    this.recovering = undefined;
    this.model = undefined;
    if (recovering === undefined) return;
    await withTimeout(recovering.close(), CLOSE_TIMEOUT_MS).catch((error: unknown) => {
      this.logger.warn(`The connection was cut: ${(error as Error).message}`);
    });
    if (this.latest !== undefined) breakOff(this.latest);
  }

  private async setUp(model: ChannelModel): Promise<void> {
    this.latest = model;
    let fail: (error: Error) => void = () => undefined;
    // Some calls of the library never end when their connection does.
    const failed = new Promise<never>((_resolve, reject) => (fail = reject));
    failed.catch(() => undefined);
    this.failSetUp = fail;
    model.once('close', () => {
      fail(new Error('The connection was closed during its set-up'));
      // The library ends its half of the connection and leaves the other half to the other side. That side may have
      // gone, or may read pending data much later.
      setTimeout(() => breakOff(model), CLOSE_TIMEOUT_MS).unref();
    });
    model.on('error', () => undefined);
    checkBrokerVersion(model.connection.serverProperties);
    dropUnreadableHeaders(model);
    writeTogether(model);
    const { setUp, setUpTimeoutMs = SET_UP_TIMEOUT_MS } = this.options;
    try {
      await withTimeout(Promise.race([setUp(model), failed]), setUpTimeoutMs);
    } catch (error) {
      await end(model);
      throw error;
    }
  }

  private watch(recovering: RecoveringChannelModel): void {
    recovering.on('connect', (model) => {
      this.model = model;
      this.blockedReason = undefined;
      this.logger.log('Connected');
    });
    recovering.on('disconnect', (error) => {
      this.model = undefined;
      this.logger.warn(`Connection lost: ${error.message}`);
    });
    const hint = this.options.url.startsWith('amqps:') ? brokerHint : () => '';
    recovering.on('reconnect-scheduled', ({ attempt, delay, error }) => {
      if (attempt > TOLD_ATTEMPTS && attempt % TOLD_EVERY !== 0) return;
      this.logger.warn(
        `Not connected (${brokerRefusal(error) ?? messageOf(error)}${hint(error)}); attempt ${attempt} in ${delay} ms`,
      );
    });
    recovering.on('blocked', (reason) => {
      this.blockedReason = reason;
      this.logger.warn(`The broker takes no messages: ${reason}`);
    });
    recovering.on('unblocked', () => {
      this.blockedReason = undefined;
    });
    // The reason also arrives with `disconnect`.
    recovering.on('error', () => undefined);
  }
}

/** Closes a connection, or cuts it if the broker does not answer in time. */
async function end(model: ChannelModel): Promise<void> {
  // If it was not closed, the next line cuts it.
  await withTimeout(model.close(), CLOSE_TIMEOUT_MS).catch(() => undefined);
  breakOff(model);
}

function breakOff({ connection }: ChannelModel): void {
  const { stream } = connection as unknown as { stream: Duplex };
  // With an error, so that the library's pending calls end too.
  if (!stream.destroyed) stream.destroy(new Error('The connection was cut'));
}

/** With RabbitMQ's default of 60 s, nobody would notice for two minutes that the network of a connection has gone. */
function withHeartbeat(address: string): string {
  const url = new URL(address);
  if (!url.searchParams.has('heartbeat')) url.searchParams.set('heartbeat', String(HEARTBEAT_SECONDS));
  return url.href;
}

function firstAttempt(recovering: RecoveringChannelModel, url: string): Promise<void> {
  return new Promise((resolve, reject) => {
    recovering.once('connect', () => resolve());
    recovering.once('connect-failed', (error: Error) =>
      isPermanent(error) ? reject(clarified(error, url)) : resolve(),
    );
  });
}

/**
 * Refused credentials, and a virtual host that is unknown or closed to this user. These come from wrong settings, so
 * waiting does not help.
 */
const REFUSED = /ACCESS.REFUSED|NOT.ALLOWED|Expected ConnectionOpenOk; got <ConnectionClose/;

function isPermanent(error: Error): boolean {
  return error instanceof RefusedByBrokerError || brokerRefusal(error) !== undefined || REFUSED.test(error.message);
}

function clarified(error: Error, url: string): Error {
  if (error instanceof RefusedByBrokerError) return error;
  const { host } = new URL(url);
  const refusal = brokerRefusal(error);
  if (refusal !== undefined) return new RefusedByBrokerError(`RabbitMQ at ${host} ${refusal}`, { cause: error });
  return new RefusedByBrokerError(
    `RabbitMQ refuses the connection. Check user, password and virtual host in BATCH_SERVICE_RMQ_URL: ${error.message}`,
    { cause: error },
  );
}
