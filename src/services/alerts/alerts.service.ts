import {
  Inject,
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
  type OnModuleInit,
} from '@nestjs/common';
import type { IAlerts } from '../../interfaces/alert.js';
import type { SqlClient, SqlDatabase } from '../../interfaces/sql.js';
import { SETTINGS, type Settings } from '../config/settings.js';
import { DatabaseService } from '../database/database.service.js';
import type { Leadership } from '../database/leadership.js';
import { messageOf } from '../errors/message-of.js';
import { MetricsService } from '../observability/metrics.service.js';
import { Poller, type PollTask } from '../poller/poller.js';
import type { AlertChannel } from './alert-message.js';
import { duration, evaluateRules } from './alert-rules.js';
import { decideAlerts, type AlertDecision, type KnownAlert } from './alert-state.js';
import {
  deleteOldAlerts,
  insertAlert,
  insertDeliveries,
  resolveAlert,
  selectAlerts,
  selectFiring,
  updateAlert,
  type AlertRow,
  type NewMessage,
} from './alerts.sql.js';
import { openChannels } from './channels/open-channels.js';
import { DeliveryService } from './delivery.service.js';
import { FactsReader } from './facts.reader.js';
import { toAlerts } from './to-alerts.js';

/** Advisory lock of the process that evaluates the rules and sends: `pg_try_advisory_lock(class, id)`. */
const ALERTS_LOCK = [0x0b47c8, 1] as const;
const KEPT_MS = 30 * 86_400_000;
/** Another service says at once that the database does not answer. */
const TOLD_EVERY = 60;
const LONGEST_START_DELAY_MS = 1000;

/**
 * Watches the service and tells operators. Each round reads the facts, evaluates the rules, decides what is to be told, stores that in one
 * transaction, and sends what is due. It promises that one process of all does this, that an alert is told once to each channel, again by
 * the interval, and once more when it is over, also after a restart. It tells nothing while the database does not answer.
 */
@Injectable()
export class AlertsService implements PollTask, OnModuleInit, OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger('Alerts');
  private readonly poller = new Poller(this);
  private readonly leadership: Leadership;
  private channels: readonly AlertChannel[] = [];
  private leads = false;

  constructor(
    @Inject(SETTINGS) private readonly settings: Settings,
    private readonly database: DatabaseService,
    private readonly facts: FactsReader,
    private readonly delivery: DeliveryService,
    private readonly metrics: MetricsService,
  ) {
    this.leadership = database.leadership(ALERTS_LOCK);
  }

  /** @throws InvalidSettingsError */
  async onModuleInit(): Promise<void> {
    this.channels = await openChannels(this.settings);
    this.metrics.recordAlertsFiring([]);
  }

  onApplicationBootstrap(): void {
    if (this.channels.length === 0) return;
    this.poller.start(Math.random() * Math.min(LONGEST_START_DELAY_MS, this.settings.alerts.intervalMs));
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.poller.stop();
    this.leadership.resign();
    for (const channel of this.channels) channel.close();
  }

  async poll(signal: AbortSignal): Promise<number> {
    const leads = await this.leadership.lead((leader) => this.round(leader, signal));
    if (!leads) this.stopLeading();
    return this.settings.alerts.intervalMs;
  }

  afterFailure(error: unknown, failures: number): number {
    this.stopLeading();
    if (failures % TOLD_EVERY === 1) {
      this.logger.warn(`The rules of alerts could not be evaluated; trying again: ${messageOf(error)}`);
    }
    return this.settings.alerts.intervalMs;
  }

  async list(): Promise<IAlerts> {
    const { rows } = await this.database.requests.query<AlertRow>(selectAlerts());
    return toAlerts(
      rows,
      this.channels.map(({ name }) => name),
    );
  }

  private async round(leader: SqlDatabase, signal: AbortSignal): Promise<void> {
    if (!this.leads) this.logger.log('This process evaluates the rules of alerts');
    this.leads = true;
    const { alerts } = this.settings;
    const facts = await this.facts.read(leader);
    const evaluation = evaluateRules(facts, alerts.rules);
    const { rows: known } = await leader.query<KnownAlert>(selectFiring());
    const decisions = decideAlerts(known, evaluation, facts.now, alerts);
    await leader.transaction((tx) => this.store(tx, decisions, facts.now));
    this.tell(known, decisions);
    await this.delivery.deliver(leader, this.channels, signal);
    await leader.query(deleteOldAlerts(KEPT_MS));
  }

  private async store(tx: SqlClient, decisions: readonly AlertDecision[], now: Date): Promise<void> {
    for (const decision of decisions) {
      const message = await this.change(tx, decision, now);
      if (message === undefined) continue;
      const channels = this.channels.map(({ name }) => name);
      await tx.query(insertDeliveries(message, channels, now));
    }
  }

  /** Returns what is to be told of it. */
  private async change(tx: SqlClient, decision: AlertDecision, now: Date): Promise<NewMessage | undefined> {
    switch (decision.kind) {
      case 'fire': {
        const { alert } = decision;
        const { rows } = await tx.query<{ id: string }>(insertAlert(alert, now));
        return { alertId: rows[0]!.id, event: 'firing', title: alert.title, text: alert.text };
      }
      case 'repeat':
      case 'keep': {
        const { id, alert, kind } = decision;
        await tx.query(updateAlert(id, alert, now, kind === 'repeat'));
        return kind === 'repeat' ? { alertId: id, event: 'repeated', title: alert.title, text: alert.text } : undefined;
      }
      case 'resolve': {
        const { known } = decision;
        await tx.query(resolveAlert(known.id, now));
        return { alertId: known.id, event: 'resolved', title: known.title, text: endOf(known) };
      }
      default:
        return decision satisfies never;
    }
  }

  /** Alerts are in the log too: it is there when no channel works. */
  private tell(known: readonly KnownAlert[], decisions: readonly AlertDecision[]): void {
    const going = known.map(({ rule }) => rule);
    for (const decision of decisions) {
      if (decision.kind === 'fire') {
        const { rule, title, text } = decision.alert;
        this.logger.warn({ message: `Alert: ${title}`, rule, text });
        going.push(rule);
      } else if (decision.kind === 'resolve') {
        const { rule, title } = decision.known;
        this.logger.log({ message: `Alert is over: ${title}`, rule });
        going.splice(going.indexOf(rule), 1);
      }
    }
    this.metrics.recordAlertsFiring(going);
  }

  private stopLeading(): void {
    if (this.leads) this.metrics.recordAlertsFiring([]);
    this.leads = false;
    this.facts.forget();
  }
}

function endOf({ firstAt, lastAt }: KnownAlert): string {
  const lasted = duration(lastAt.getTime() - firstAt.getTime());
  return `This is over. It began at ${firstAt.toISOString()}, and was last seen at ${lastAt.toISOString()}, ${lasted} later.`;
}
