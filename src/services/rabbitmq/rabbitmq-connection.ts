import type { Duplex } from 'node:stream';
import { Logger } from '@nestjs/common';
import { connect, type ChannelModel, type RecoveringChannelModel } from 'amqplib';
import { withTimeout } from '../observability/with-timeout.js';
import type { Certificates } from '../tls/certificates.js';
import { clientTls } from '../tls/client-tls.js';
import { brokerHint, brokerRefusal } from '../tls/tls-refusal.js';
import { checkBrokerVersion, UnsupportedBrokerError } from './broker-version.js';
import { RefusedByBrokerError } from './refused-by-broker.error.js';
import { TopologyConflictError } from './topology.js';
import { dropUnreadableHeaders } from './unreadable-headers.js';

export interface RabbitmqConnectionOptions {
  url: string;
  /** Of `amqps:`. */
  certificates?: Certificates | undefined;
  /** What the connection is for; shown in the log, in health and in RabbitMQ's management UI. */
  name: string;
  /** Declares and opens what the connection is for. Runs after every connect; a failure is a failed connect. */
  setUp: (model: ChannelModel) => Promise<void>;
  /** Told whenever messages can be sent that could not before: it is connected and set up, or no longer blocked. */
  onUsable?: () => void;
  /** How long `setUp` may take before it is begun anew; default 10 000. */
  setUpTimeoutMs?: number;
}

/** An attempt costs little, and whoever calls or is to be notified waits for it: at most a second after the broker is back. */
const RECOVERY = { initialDelay: 100, maxDelay: 1000, factor: 2, jitter: 0.2 };
const CONNECT_TIMEOUT_MS = 10_000;
/** Nobody else has the messages of a process that says nothing any more before the broker gives it up: after two to three of these. */
const HEARTBEAT_SECONDS = 5;
/** A broker that is just starting may leave a declaration without an answer, and its heart beats all the same. */
const SET_UP_TIMEOUT_MS = 10_000;
/** A broker that is gone without a word never answers the close, and the library waits for the answer without end. */
const CLOSE_TIMEOUT_MS = 1000;
/** The first attempts are told, of those that follow each thirtieth. */
const TOLD_ATTEMPTS = 5;
const TOLD_EVERY = 30;

/**
 * A connection to RabbitMQ that comes back by itself, with back-off, and sets up anew what runs on it. It promises that
 * `setUp` has run whenever it is connected, and that nothing the broker does ends the process. What goes through it is left to
 * its user, who calls `restart` when a channel died alone.
 */
export class RabbitmqConnection {
  private readonly logger: Logger;
  private recovering: RecoveringChannelModel | undefined;
  private current: ChannelModel | undefined;
  /** The one that was opened last; perhaps it is still set up. */
  private latest: ChannelModel | undefined;
  /** While it is set up: what died of it meanwhile. */
  private settingUp: { broken?: string } | undefined;
  private blockedReason: string | undefined;

  constructor(private readonly options: RabbitmqConnectionOptions) {
    this.logger = new Logger(`RabbitMQ ${options.name}`);
  }

  get name(): string {
    return this.options.name;
  }

  get connected(): boolean {
    return this.current !== undefined;
  }

  /** Why the broker takes no messages for the moment (memory or disk alarm); undefined when it does. */
  get blocked(): string | undefined {
    return this.blockedReason;
  }

  /**
   * Connects. An unreachable broker is no failure: the service is of use without it, and the connection comes when the broker
   * does.
   *
   * @throws what no waiting cures: a topology conflict, refused credentials, an unknown virtual host, too old a broker, certificates.
   */
  async open(): Promise<void> {
    const recovering = await connect(withHeartbeat(this.options.url), {
      ...clientTls(this.options.certificates),
      timeout: CONNECT_TIMEOUT_MS,
      // What is sent would wait for the acknowledgement of what was sent before: up to 40 ms, for the operating system puts that off.
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
   * Drops the connection, so that everything is set up anew: for a channel that was closed alone, or a consumer that was
   * cancelled. Called during `setUp` it makes that attempt a failed one.
   */
  restart(reason: string): void {
    if (this.settingUp !== undefined) this.settingUp.broken ??= reason;
    const model = this.current;
    // The end of a connection closes its channels first; a moment later it is known which of the two it was.
    setImmediate(() => {
      if (model === undefined || this.current !== model) return;
      this.logger.warn(`${reason}; connecting anew`);
      void end(model);
    });
  }

  /** Ends the connection, in a second at most: where the broker does not answer, it is broken off. */
  async close(): Promise<void> {
    const recovering = this.recovering;
    this.recovering = undefined;
    this.current = undefined;
    if (recovering === undefined) return;
    await withTimeout(recovering.close(), CLOSE_TIMEOUT_MS).catch((error: unknown) => {
      this.logger.warn(`The connection was broken off: ${(error as Error).message}`);
    });
    if (this.latest !== undefined) breakOff(this.latest);
  }

  private async setUp(model: ChannelModel): Promise<void> {
    this.latest = model;
    let tellClosed: (error: Error) => void = () => undefined;
    // Some calls of the library never end when their connection does.
    const closed = new Promise<never>((_resolve, reject) => (tellClosed = reject));
    closed.catch(() => undefined);
    model.once('close', () => {
      tellClosed(new Error('The connection was closed while it was set up'));
      // The library ends its half of it and leaves the rest to the other side, which may be gone, or read what is under way much later.
      setTimeout(() => breakOff(model), CLOSE_TIMEOUT_MS).unref();
    });
    model.on('error', () => undefined);
    checkBrokerVersion(model.connection.serverProperties);
    dropUnreadableHeaders(model);
    const { setUp, setUpTimeoutMs = SET_UP_TIMEOUT_MS } = this.options;
    const attempt: { broken?: string } = {};
    this.settingUp = attempt;
    try {
      await withTimeout(Promise.race([setUp(model), closed]), setUpTimeoutMs);
    } catch (error) {
      await end(model);
      throw error;
    } finally {
      this.settingUp = undefined;
    }
    if (attempt.broken !== undefined) throw new Error(`${attempt.broken} while the connection was set up`);
  }

  private watch(recovering: RecoveringChannelModel): void {
    recovering.on('connect', (model) => {
      this.current = model;
      this.blockedReason = undefined;
      this.logger.log('Connected');
      this.options.onUsable?.();
    });
    recovering.on('disconnect', (error) => {
      this.current = undefined;
      this.logger.warn(`Connection lost: ${error.message}`);
    });
    const hint = this.options.url.startsWith('amqps:') ? brokerHint : () => '';
    recovering.on('reconnect-scheduled', ({ attempt, delay, error }) => {
      if (attempt > TOLD_ATTEMPTS && attempt % TOLD_EVERY !== 0) return;
      this.logger.warn(`Not connected (${describe(error)}${hint(error)}); attempt ${attempt} in ${delay} ms`);
    });
    recovering.on('blocked', (reason) => {
      this.blockedReason = reason;
      this.logger.warn(`The broker takes no messages: ${reason}`);
    });
    recovering.on('unblocked', () => {
      this.blockedReason = undefined;
      this.options.onUsable?.();
    });
    // What matters of it comes as `disconnect`.
    recovering.on('error', () => undefined);
  }
}

/** Closes a connection, or breaks it off where the broker does not answer in time. */
async function end(model: ChannelModel): Promise<void> {
  // Why it was not closed does not matter: what follows ends it in any case.
  await withTimeout(model.close(), CLOSE_TIMEOUT_MS).catch(() => undefined);
  breakOff(model);
}

function breakOff({ connection }: ChannelModel): void {
  const { stream } = connection as unknown as { stream: Duplex };
  // With an error, so that the library notices where it still waits for an answer.
  if (!stream.destroyed) stream.destroy(new Error('The connection was broken off'));
}

/** RabbitMQ's own 60 s would leave a connection whose network is gone unnoticed for two minutes. */
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

/** Refused credentials, and a virtual host that is unknown or closed to this user: configuration, not weather. */
const REFUSED = /ACCESS.REFUSED|NOT.ALLOWED|Expected ConnectionOpenOk; got <ConnectionClose/;

/** They say themselves what is to be done. */
const saysItsCure = (error: Error): boolean =>
  error instanceof TopologyConflictError || error instanceof UnsupportedBrokerError;

function isPermanent(error: Error): boolean {
  return saysItsCure(error) || brokerRefusal(error) !== undefined || REFUSED.test(error.message);
}

function clarified(error: Error, url: string): Error {
  if (saysItsCure(error)) return error;
  const { host } = new URL(url);
  const refusal = brokerRefusal(error);
  if (refusal !== undefined) return new RefusedByBrokerError(`RabbitMQ at ${host} ${refusal}`, { cause: error });
  return new RefusedByBrokerError(
    `RabbitMQ refuses the connection; check user, password and virtual host in BATCH_SERVICE_RMQ_URL: ${error.message}`,
    { cause: error },
  );
}

/** Node hides the reason of a refused connection in an AggregateError without a message. */
function describe(error: Error): string {
  return brokerRefusal(error) ?? (error.message || ('code' in error && String(error.code)) || error.name);
}
