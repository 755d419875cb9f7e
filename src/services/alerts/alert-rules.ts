import type { AlertRule } from '../../interfaces/alert.js';
import type { Settings } from '../config/settings.js';
import type { ILockHolder } from '../../interfaces/lock-holder.js';
import type { AlertFacts, BlockedLane, FailedJob, LaneClosure, LaneFault, LaneLock, MissedJob } from './alert-facts.js';

export type RuleSettings = Settings['alerts']['rules'];

/** An alert whose rule is met. There is at most one of each rule and subject. */
export interface FiringAlert {
  rule: AlertRule;
  /** Empty: the whole service. */
  subject: string;
  /** One line. */
  title: string;
  /** What was seen, and what to do. It has no values of callers: it leaves the machine. */
  text: string;
}

export interface Evaluation {
  firing: readonly FiringAlert[];
  /** Rules about which nothing is known at the moment. Their alerts stay as they are. */
  unknown: readonly AlertRule[];
}

/** Says which alerts the facts give reason for. A rule whose limit is 0 is off. */
export function evaluateRules(facts: AlertFacts, rules: RuleSettings): Evaluation {
  return {
    firing: [
      ...noWorker(facts, rules),
      ...lag(facts, rules),
      ...failureRate(facts, rules),
      ...blockedLanes(facts, rules),
      ...parkedMessages(facts, rules),
      ...parkedNotifications(facts, rules),
      ...(rules.jobFailedMs > 0 ? facts.failedJobs.map(failedJob) : []),
      ...(rules.jobMissedMs > 0 ? facts.missedJobs.map(missedJob) : []),
    ],
    unknown: facts.parkedMessages === undefined && rules.parkedMessages > 0 ? ['parked_messages'] : [],
  };
}

function noWorker({ now, noWorkerSince }: AlertFacts, { noWorkerMs }: RuleSettings): FiringAlert[] {
  if (noWorkerMs === 0 || noWorkerSince === undefined) return [];
  if (now.getTime() - noWorkerSince.getTime() < noWorkerMs) return [];
  return whole(
    'no_worker',
    'No worker was seen',
    `No worker was seen since ${noWorkerSince.toISOString()}. Operations are accepted and not executed. ` +
      'Start a process of role worker or all, or look into the log of those that should run.',
  );
}

function lag({ lagMs }: AlertFacts, rules: RuleSettings): FiringAlert[] {
  if (rules.lagMs === 0 || lagMs <= rules.lagMs) return [];
  return whole(
    'lag',
    `The oldest operation has waited for ${duration(lagMs)}`,
    `The oldest pending operation has waited for ${duration(lagMs)}; the limit is ${duration(rules.lagMs)}. ` +
      'GET /api/v1/lanes shows lanes that stand still, GET /api/v1/stats how much waits and how many workers there are.',
  );
}

function failureRate({ completed, failed }: AlertFacts, rules: RuleSettings): FiringAlert[] {
  const { failurePercent: limit, failureMinimum, failureWindowMs } = rules;
  const executed = completed + failed;
  if (limit === 0 || executed < failureMinimum || failed * 100 < limit * executed) return [];
  const percent = Math.floor((failed * 100) / executed);
  return whole(
    'failure_rate',
    `${percent} % of the operations fail`,
    `Of the ${executed} operations of the last ${duration(failureWindowMs)}, ${failed} have failed (${percent} %); the limit is ${limit} %. ` +
      'GET /api/v1/operations?status=failed shows them with their errors.',
  );
}

function blockedLanes({ now, lanes }: AlertFacts, { laneBlockedMs, laneLockedMs }: RuleSettings): FiringAlert[] {
  if (laneBlockedMs === 0) return [];
  const isOver = (since: Date | undefined, limitMs: number): boolean =>
    since !== undefined && limitMs > 0 && now.getTime() - since.getTime() > limitMs;
  return lanes
    .filter(
      ({ fault, lock, closure }) =>
        (fault?.parkedAt ?? null) !== null ||
        isOver(fault?.firstFailedAt, laneBlockedMs) ||
        isOver(lock?.since, laneLockedMs) ||
        isOver(closure?.since, laneLockedMs),
    )
    .map(blockedLane);
}

function blockedLane({ lane, targets, fault, lock, closure }: BlockedLane): FiringAlert {
  const tables = targets.length === 0 ? 'tables unknown' : listed(targets);
  const causes = [
    ...(lock === undefined ? [] : [describeLock(lock)]),
    ...(closure === undefined ? [] : [describeClosure(closure)]),
    ...(fault === undefined ? [] : [describeFault(lane, fault)]),
  ];
  return {
    rule: 'lane_blocked',
    subject: `lane ${lane}`,
    title: `Lane ${lane} stands still (${tables})`,
    text: `Operations on ${tables} wait. ${causes.join(' ')} GET /api/v1/lanes?state=all shows the lane.`,
  };
}

/** Without statements: they may have values of callers. */
function describeLock({ since, relation, holders }: LaneLock): string {
  const of = relation === undefined ? '' : ` on ${relation}`;
  const said = holders.map((holder) => describeHolder(holder, 'holds it'));
  return [`Their chunk has waited for a lock${of} since ${since.toISOString()}.`, ...said].join(' ');
}

function describeClosure({ since, targets, holders }: LaneClosure): string {
  const why = `Their lane has been closed since ${since.toISOString()}, until open transactions end that have created operations for ${listed(targets)}: these tables get another lane.`;
  return [why, ...holders.map((holder) => describeHolder(holder, 'has such a transaction'))].join(' ');
}

function describeHolder(holder: ILockHolder, holds: string): string {
  const { pid, gid, preparedAt, application, user, state, worker } = holder;
  if (gid !== undefined) {
    const name = `'${gid.replaceAll("'", "''")}'`;
    return `The prepared transaction ${name} of user ${user}, prepared at ${preparedAt}, ${holds}: ROLLBACK PREPARED ${name} or COMMIT PREPARED ${name}.`;
  }
  if (pid === 0) return `A prepared transaction ${holds}: see pg_prepared_xacts.`;
  if (worker !== undefined) return `Process ${pid}, a session of the worker ${worker} of this service, ${holds}.`;
  const who = [application, user && `user ${user}`, state].filter(Boolean).join(', ');
  return `Process ${pid}${who === '' ? '' : ` (${who})`} ${holds}: end its transaction.`;
}

/** The message of the failure may quote values of an operation, so it is not told. */
function describeFault(lane: number, { kind, sqlState, failures, firstFailedAt, parkedAt }: LaneFault): string {
  const state = sqlState === null ? '' : `, SQLSTATE ${sqlState}`;
  const outlook =
    parkedAt === null
      ? 'It is tried again by itself.'
      : `It was parked at ${parkedAt.toISOString()} and waits for you: POST /api/v1/lanes/${lane}/resumes tries it again, ` +
        `POST /api/v1/lanes/${lane}/skips cancels the operation in the way.`;
  const seen = `Their lane has failed ${times(failures)} since ${firstFailedAt.toISOString()} (kind of the failure: ${kind}${state}).`;
  return `${seen} ${outlook}`;
}

function parkedMessages({ parkedMessages: count }: AlertFacts, rules: RuleSettings): FiringAlert[] {
  if (rules.parkedMessages === 0 || count === undefined || count < rules.parkedMessages) return [];
  return whole(
    'parked_messages',
    `${plural(count, 'message')} could not be executed`,
    `${plural(count, 'message')} could not be executed and wait in the parking queue. ` +
      '`npm run parked-messages -- list` shows why; `replay` sends them again, `discard` deletes them.',
  );
}

function parkedNotifications({ parkedNotifications: count }: AlertFacts, rules: RuleSettings): FiringAlert[] {
  if (rules.parkedNotifications === 0 || count < rules.parkedNotifications) return [];
  return whole(
    'parked_notifications',
    `The broker refuses ${plural(count, 'notification')}`,
    `The broker refuses ${plural(count, 'notification')} while it takes others. They are tried again seldom. ` +
      'GET /api/v1/notifications shows them with the reason.',
  );
}

function failedJob({ job, execution, exitCode, endedAt }: FailedJob): FiringAlert {
  return {
    rule: 'job_failed',
    subject: `${job} ${execution}`,
    title: `Job ${job} failed`,
    text:
      `Execution ${execution} of job ${job} failed at ${endedAt.toISOString()} with the exit code ${exitCode}. ` +
      `GET /api/v1/job-executions/${execution} shows why. When the cause is gone, restart it: \`npm run job -- restart ${execution}\`.`,
  };
}

function missedJob({ job, dueAt }: MissedJob): FiringAlert {
  return {
    rule: 'job_missed',
    subject: job,
    title: `Job ${job} did not run at its time`,
    text:
      `Job ${job} was due at ${dueAt.toISOString()} and has not run since. ` +
      'Look whether a process that runs jobs is alive, and into its log. Start the job by hand if the run is needed.',
  };
}

const whole = (rule: AlertRule, title: string, text: string): FiringAlert[] => [{ rule, subject: '', title, text }];

const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;

const times = (count: number): string => (count === 1 ? 'once' : `${count} times`);

const MOST_NAMES = 5;

function listed(names: readonly string[]): string {
  const rest = names.length - MOST_NAMES;
  return names.slice(0, MOST_NAMES).join(', ') + (rest > 0 ? ` and ${rest} more` : '');
}

/** `90 s`, `12 min`, `3 h 5 min`, `2 d 4 h`: as exact as a person needs it. */
export function duration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return parts(hours, 'h', minutes % 60, 'min');
  return parts(Math.floor(hours / 24), 'd', hours % 24, 'h');
}

const parts = (large: number, unit: string, small: number, smallUnit: string): string =>
  `${large} ${unit}${small === 0 ? '' : ` ${small} ${smallUnit}`}`;
