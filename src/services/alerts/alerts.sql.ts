import type { AlertChannelName, AlertEvent, AlertRule } from '../../interfaces/alert.js';
import type { SqlStatement } from '../../interfaces/sql.js';
import { LAG_MS } from '../outcomes/outcomes.sql.js';
import { PAUSED_LANES } from '../pauses/paused.sql.js';
import type { LaneFault } from './alert-facts.js';
import type { FiringAlert } from './alert-rules.js';

/** Executions older than these are not looked at for failures: there is no index for the time of an end. */
const NEWEST_EXECUTIONS = 2000;
const MOST_FAILED_JOBS = 50;
const MOST_RECENT = 100;
const MOST_DELIVERIES = 20;

export interface QueueFactsRow {
  now: Date;
  lagMs: number;
  pausedLanes: number[];
  completed: number;
  failed: number;
  parkedNotifications: number;
  workers: number;
}

export function selectQueueFacts(windowMs: number): SqlStatement {
  return {
    text: `
      select
        clock_timestamp() as now, array(${PAUSED_LANES}) as "pausedLanes",
        ${LAG_MS} as "lagMs",
        (select count(*)::int from batch.parked_notifications) as "parkedNotifications",
        (select count(*)::int from batch.workers where seen_at > now() - interval '10 seconds') as workers,
        recent.completed, recent.failed
      from (
        select coalesce(sum(completed), 0)::float8 as completed, coalesce(sum(failed), 0)::float8 as failed
        from batch.chunks where settled_at > now() - $1::float8 * interval '1 ms'
      ) recent`,
    values: [windowMs],
  };
}

export interface LaneFaultRow extends LaneFault {
  lane: number;
  targets: string[];
}

export function selectLaneFaults(): SqlStatement {
  return {
    text: `
      select b.lane, b.kind, b.sql_state as "sqlState", b.failures, b.first_failed_at as "firstFailedAt", b.parked_at as "parkedAt",
        array(select l.target from batch.lanes l where l.lane = b.lane order by l.target) as targets
      from batch.lane_blocks b order by b.lane`,
  };
}

/** Executions that failed within the time, and are the last ones of their instances. */
export function selectFailedJobs(withinMs: number): SqlStatement {
  return {
    text: `
      select e.job_name as job, e.id::text as execution, e.exit_code as "exitCode", e.ended_at as "endedAt"
      from (
        select id, job_name, job_instance_id, status, exit_code, ended_at
        from batch.job_executions order by id desc limit $2::int
      ) e
      where e.status = 'FAILED' and e.ended_at > now() - $1::float8 * interval '1 ms'
        and not exists (
          select from batch.job_executions later where later.job_instance_id = e.job_instance_id and later.id > e.id
        )
      order by e.id desc limit $3::int`,
    values: [withinMs, NEWEST_EXECUTIONS, MOST_FAILED_JOBS],
  };
}

export interface ScheduledJobRow {
  job: string;
  /** No earlier time of the schedule counts. */
  createdAt: Date;
  /** When the newest execution was created. */
  lastRunAt: Date | null;
  /** One of the newest executions has not ended. */
  running: boolean;
}

export function selectScheduledJobs(jobs: readonly string[]): SqlStatement {
  return {
    text: `
      select s.job_name as job, s.created_at as "createdAt", newest.at as "lastRunAt", coalesce(newest.running, false) as running
      from batch.scheduled_jobs s
      cross join lateral (
        select max(e.created_at) as at, bool_or(e.ended_at is null) as running
        from (
          select created_at, ended_at from batch.job_executions where job_name = s.job_name order by id desc limit 20
        ) e
      ) newest
      where s.job_name = any($1::text[])`,
    values: [jobs],
  };
}

export function selectFiring(): SqlStatement {
  return {
    text: `
      select id::text, rule, subject, title, first_at as "firstAt", last_at as "lastAt", notified_at as "notifiedAt"
      from batch.alerts where resolved_at is null order by id`,
  };
}

/** Returns the id. */
export function insertAlert({ rule, subject, title, text }: FiringAlert, now: Date): SqlStatement {
  return {
    text: `
      insert into batch.alerts (first_at, last_at, notified_at, rule, subject, title, text)
      values ($1::timestamptz, $1::timestamptz, $1::timestamptz, $2, $3, $4, $5)
      returning id::text`,
    values: [now, rule, subject, title, text],
  };
}

/** An alert that goes on. With `repeat` it is told again. */
export function updateAlert(id: string, { title, text }: FiringAlert, now: Date, repeat: boolean): SqlStatement {
  return {
    text: `
      update batch.alerts
      set last_at = $2::timestamptz, title = $3, text = $4, notified_at = case when $5::boolean then $2::timestamptz else notified_at end
      where id = $1::int8`,
    values: [id, now, title, text, repeat],
  };
}

export function resolveAlert(id: string, now: Date): SqlStatement {
  return {
    text: 'update batch.alerts set resolved_at = $2::timestamptz, notified_at = $2::timestamptz where id = $1::int8',
    values: [id, now],
  };
}

export interface NewMessage {
  alertId: string;
  event: AlertEvent;
  title: string;
  text: string;
}

/** One message for each channel. A repetition is left out where an earlier message of the alert still waits. */
export function insertDeliveries(
  { alertId, event, title, text }: NewMessage,
  channels: readonly string[],
  now: Date,
): SqlStatement {
  return {
    text: `
      insert into batch.alert_deliveries (alert_id, created_at, next_try_at, channel, event, title, text)
      select $1::int8, $2::timestamptz, $2::timestamptz, c.channel, $4, $5, $6
      from unnest($3::text[]) c (channel)
      where $4 <> 'repeated' or not exists (
        select from batch.alert_deliveries d
        where d.alert_id = $1::int8 and d.channel = c.channel and d.sent_at is null and d.gave_up_at is null
      )`,
    values: [alertId, now, channels, event, title, text],
  };
}

export interface DueDelivery {
  id: string;
  event: AlertEvent;
  title: string;
  text: string;
  attempts: number;
  createdAt: Date;
  rule: AlertRule;
  subject: string;
  firstAt: Date;
}

/** Messages to send to a channel now, in their order. One whose alert has an earlier message that waits is not among them. */
export function selectDue(channel: string, limit: number): SqlStatement {
  return {
    text: `
      select d.id::text, d.event, d.title, d.text, d.attempts, d.created_at as "createdAt", a.rule, a.subject, a.first_at as "firstAt"
      from batch.alert_deliveries d join batch.alerts a on a.id = d.alert_id
      where d.channel = $1 and d.sent_at is null and d.gave_up_at is null and d.next_try_at <= clock_timestamp()
        and not exists (
          select from batch.alert_deliveries earlier
          where earlier.channel = $1 and earlier.alert_id = d.alert_id and earlier.id < d.id
            and earlier.sent_at is null and earlier.gave_up_at is null
        )
      order by d.id limit $2::int`,
    values: [channel, limit],
  };
}

/** Before a message is sent. If this process dies meanwhile, it is sent again after this time. */
export function beginTry(ids: readonly string[], againInMs: number): SqlStatement {
  return {
    text: `
      update batch.alert_deliveries
      set attempts = attempts + 1, next_try_at = clock_timestamp() + $2::float8 * interval '1 ms'
      where id = any($1::int8[])`,
    values: [ids, againInMs],
  };
}

export function recordSent(ids: readonly string[]): SqlStatement {
  return {
    text: 'update batch.alert_deliveries set sent_at = clock_timestamp(), error = null where id = any($1::int8[])',
    values: [ids],
  };
}

export function recordFailure(ids: readonly string[], error: string, againInMs: number): SqlStatement {
  return {
    text: `
      update batch.alert_deliveries
      set error = $2, next_try_at = clock_timestamp() + $3::float8 * interval '1 ms'
      where id = any($1::int8[])`,
    values: [ids, error, againInMs],
  };
}

export interface GivenUp {
  channel: AlertChannelName;
  title: string;
  attempts: number;
  error: string | null;
}

/** Gives up messages that could not be sent for this long, also those to channels that are no longer configured. */
export function giveUp(afterMs: number): SqlStatement {
  return {
    text: `
      update batch.alert_deliveries set gave_up_at = clock_timestamp()
      where sent_at is null and gave_up_at is null and created_at < clock_timestamp() - $1::float8 * interval '1 ms'
      returning channel, title, attempts, error`,
    values: [afterMs],
  };
}

/** Deletes alerts that are over for longer than this. */
export function deleteOldAlerts(afterMs: number): SqlStatement {
  return {
    text: `
      with old as (
        delete from batch.alerts where resolved_at < now() - $1::float8 * interval '1 ms' returning id
      )
      delete from batch.alert_deliveries d using old where d.alert_id = old.id`,
    values: [afterMs],
  };
}

export interface AlertRow {
  id: string;
  rule: AlertRule;
  subject: string;
  title: string;
  text: string;
  firstAt: Date;
  lastAt: Date;
  resolvedAt: Date | null;
  deliveries: {
    channel: AlertChannelName;
    event: AlertEvent;
    attempts: number;
    createdAt: string;
    nextTryAt: string;
    sentAt: string | null;
    gaveUpAt: string | null;
    error: string | null;
  }[];
}

/** Alerts that go on, newest first, and then the newest of those that are over. */
export function selectAlerts(): SqlStatement {
  return {
    text: `
      select a.id::text, a.rule, a.subject, a.title, a.text, a.first_at as "firstAt", a.last_at as "lastAt", a.resolved_at as "resolvedAt",
        coalesce((
          select json_agg(json_build_object(
            'channel', d.channel, 'event', d.event, 'attempts', d.attempts, 'error', d.error, 'createdAt', d.created_at,
            'nextTryAt', d.next_try_at, 'sentAt', d.sent_at, 'gaveUpAt', d.gave_up_at) order by d.id desc)
          from (
            select * from batch.alert_deliveries d where d.alert_id = a.id order by d.id desc limit $2::int
          ) d
        ), '[]') as deliveries
      from (
        (select * from batch.alerts where resolved_at is null order by id desc)
        union all
        (select * from batch.alerts where resolved_at is not null order by resolved_at desc limit $1::int)
      ) a
      order by a.resolved_at desc nulls first, a.id desc`,
    values: [MOST_RECENT, MOST_DELIVERIES],
  };
}
