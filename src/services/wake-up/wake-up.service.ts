import { Inject, Injectable, Logger, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { Redis } from 'ioredis';
import { v7 as uuid } from 'uuid';
import { backOffMs, type BackOff } from '../../interfaces/back-off.js';
import { SETTINGS, type Settings } from '../config/settings.js';
import { redactUrl } from '../../interfaces/redact-secrets.js';
import { redisTls } from '../config/client-tls.js';
import { ignoreLateErrors } from '../tls/ignore-late-errors.js';
import { redisReason } from '../tls/tls-refusal.js';
import { Coalescer } from './coalescer.js';

type Signal = 'accepted' | 'settled';

/** At most one message for each channel in this time. With thousands of operations a second, more are not needed. */
const PUBLISH_EVERY_MS = 5;
const RECONNECT: BackOff = { initialMs: 50, maxMs: 2000, jitter: 0.5 };
const ANSWER_TIMEOUT_MS = 5000;

/**
 * Tells waiting parts that there is work or an outcome: within the process by listeners, and across processes through
 * Redis pub/sub if there is Redis. It promises only speed: a signal may be lost and Redis may fail, which only causes a
 * delay up to the poller's interval. A woken part reads the true state from the database.
 */
@Injectable()
export class WakeUpService implements OnModuleInit, OnApplicationShutdown {
  private readonly logger = new Logger(WakeUpService.name);
  private readonly listeners: Record<Signal, Set<() => void>> = { accepted: new Set(), settled: new Set() };
  private readonly channels: Record<Signal, string>;
  private readonly publishAccepted = new Coalescer(PUBLISH_EVERY_MS, () => this.publish('accepted'));
  private readonly publishSettled = new Coalescer(PUBLISH_EVERY_MS, () => this.publish('settled'));
  private publisher: Redis | undefined;
  private subscriber: Redis | undefined;
  private subscribed = false;
  /** Distinguishes the signals of this instance from those of others. */
  private readonly identity = uuid();
  private outage = false;

  constructor(@Inject(SETTINGS) private readonly settings: Pick<Settings, 'redis' | 'database'>) {
    const { name } = settings.database;
    this.channels = { accepted: `${name}:batch:accepted`, settled: `${name}:batch:settled` };
  }

  /** Operations were stored. Call it after the commit. */
  operationsAccepted(): void {
    this.tell('accepted');
    if (this.publisher) this.publishAccepted.request();
  }

  /** A chunk was settled. Call it after the commit. */
  chunkSettled(): void {
    this.tell('settled');
    if (this.publisher) this.publishSettled.request();
  }

  /** Returns a function that ends the subscription. A listener may be called without need. */
  onOperationsAccepted(listener: () => void): () => void {
    return this.listen('accepted', listener);
  }

  /** Returns a function that ends the subscription. A listener may be called without need. */
  onChunkSettled(listener: () => void): () => void {
    return this.listen('settled', listener);
  }

  /** True while signals of other processes arrive. Undefined if there is no Redis. */
  get connected(): boolean | undefined {
    return this.subscriber && this.subscribed;
  }

  onModuleInit(): void {
    const { redis } = this.settings;
    if (redis === undefined) return;
    this.publisher = this.connect(redis);
    this.subscriber = this.connect(redis);
    this.subscriber.on('message', (channel: string, sender: string) => this.receive(channel, sender));
    // Also after a reconnection: what happened meanwhile was missed.
    this.subscriber.on('ready', () => void this.subscribe());
    this.subscriber.on('close', () => (this.subscribed = false));
  }

  onApplicationShutdown(): void {
    this.publishAccepted.cancel();
    this.publishSettled.cancel();
    this.publisher?.disconnect();
    this.subscriber?.disconnect();
    this.publisher = undefined;
    this.subscriber = undefined;
  }

  private listen(signal: Signal, listener: () => void): () => void {
    // A separate object, so that the same function may subscribe twice and end each subscription alone.
    const entry = (): void => listener();
    this.listeners[signal].add(entry);
    return () => void this.listeners[signal].delete(entry);
  }

  private tell(signal: Signal): void {
    for (const listener of [...this.listeners[signal]]) listener();
  }

  private connect(redis: NonNullable<Settings['redis']>): Redis {
    const client = new Redis(redis.url, {
      ...redisTls(redis),
      // Shown by CLIENT LIST.
      connectionName: `batch-service:${this.settings.database.name}`,
      // A signal that cannot be sent now is useless later.
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      autoResubscribe: false,
      connectTimeout: ANSWER_TIMEOUT_MS,
      // Without this, commands would pile up on a connection that never answers.
      socketTimeout: ANSWER_TIMEOUT_MS,
      keepAlive: 10_000,
      retryStrategy: (attempt) => backOffMs(RECONNECT, attempt),
    });
    client.on('error', (error: Error) => this.reportOutage(error));
    ignoreLateErrors(client);
    client.on('close', () => {
      if (this.publisher) this.reportOutage(new Error('the connection was lost'));
    });
    return client;
  }

  private async subscribe(): Promise<void> {
    try {
      await this.subscriber?.subscribe(...Object.values(this.channels));
      this.subscribed = true;
      this.reportRecovery();
      this.tell('accepted');
      this.tell('settled');
    } catch (error) {
      // The connection was lost again. The next `ready` tries again.
      this.reportOutage(error as Error);
    }
  }

  private publish(signal: Signal): void {
    this.publisher?.publish(this.channels[signal], this.identity).catch(() => undefined);
  }

  private receive(channel: string, sender: string): void {
    // Its own listeners were called when the signal was given.
    if (sender === this.identity) return;
    if (channel === this.channels.accepted) this.tell('accepted');
    if (channel === this.channels.settled) this.tell('settled');
  }

  private reportOutage(error: Error): void {
    if (this.outage || !this.publisher) return;
    this.outage = true;
    const { url = '' } = this.settings.redis ?? {};
    this.logger.warn(
      `Redis at ${redactUrl(url)} is out of reach (${redisReason(error, url)}). ` +
        'Until it is back, other processes wake up at their interval',
    );
  }

  private reportRecovery(): void {
    if (!this.outage) return;
    this.outage = false;
    this.logger.log('Redis is back: other processes are woken at once again');
  }
}
