import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { seededRandom, type Random } from '../support/random.js';
import { onDatabase, type DatabaseConnection } from '../support/test-databases.js';
import { uniqueName } from '../support/unique-name.js';
import { injectFaults } from './faults/inject-faults.js';
import { planFaults, type FaultCounts } from './faults/plan-faults.js';
import { startFleet, type Fleet } from './fleet/fleet.js';
import { judge, type Verdict } from './judge/judge.js';
import { observeDatabase } from './judge/observe-database.js';
import { observeQueues } from './judge/observe-queues.js';
import { Ledger } from './ledger.js';
import { listenToNotifications } from './load/notifications.js';
import { openLoad, type Load } from './load/load.js';
import { CREATE_TABLES, SEED_COUNTERS, SEED_LATEST } from './load/tables.sql.js';
import type { Surroundings } from './servers/surroundings.js';
import { atRest } from './at-rest.js';
import { POSTGRES, RABBITMQ, Timeline } from './timeline.js';

export interface ChaosOptions extends FaultCounts {
  seed: number;
  apis: number;
  workers: number;
  /** `BATCH_PROCESS_OPERATION_INTERVAL`. */
  intervalMs: number;
  /** Between two faults, on average. */
  gapMs: number;
  /** What an outage may cost beside the interval, from "it is up again" to the first commit of a chunk. */
  recoveryMs: number;
  /** In the end: what has not moved for so long is missing. */
  patienceMs: number;
  /** Seen by every process of the service before anything else. */
  preload?: string;
  /** The callers forget the ids of what they send again. */
  forgetsIds: boolean;
}

export interface ChaosProgress {
  faults: number;
  ofFaults: number;
  handedOver: number;
}

export interface ChaosResult {
  verdict: Verdict;
  acknowledged: number;
  /** Sent more than once. */
  resent: number;
  unknowns: ReadonlyMap<string, number>;
  faults: Readonly<Record<string, number>>;
  /** Lanes that operations were in. */
  lanes: number;
  chunks: number;
  /** Notifications that came again. */
  notifiedAgain: number;
  abandonedStarts: number;
  /** See `Member.history`. In the order of time, with the names of the members. */
  history: readonly string[];
  seconds: number;
}

/** Load before the first fault and after the last one. */
const QUIET_MS = 1500;
const ACKNOWLEDGED_WITHIN_MS = 60_000;
const EVENTS_ARRIVE_WITHIN_MS = 20_000;
const LOOK_EVERY_MS = 50;

/** One run: callers write while processes die; when everything has come to rest, what is there is held against what was acknowledged. */
export async function runChaos(
  options: ChaosOptions,
  surroundings: Surroundings,
  onProgress: (progress: ChaosProgress) => void,
  signal: AbortSignal,
): Promise<ChaosResult> {
  signal.throwIfAborted();
  const startedAt = performance.now();
  const random = seededRandom(options.seed);
  const planned = planFaults(options, options.gapMs, random);
  const scene = await setTheScene(options, surroundings, random);
  const { fleet, ledger, timeline, database, queue } = scene;
  try {
    const faults: Record<string, number> = {};
    const onFault = (fault: string): void => {
      faults[fault] = (faults[fault] ?? 0) + 1;
      const done = Object.values(faults).reduce((sum, count) => sum + count, 0);
      onProgress({ faults: done, ofFaults: planned.length, handedOver: ledger.size });
    };
    const until = await underLoad(scene.load, signal, async () => {
      const target = {
        fleet,
        surroundings,
        timeline,
        random,
        onFault,
        eventsArrive: () => eventsArrive(scene, signal),
      };
      await injectFaults(planned, target, signal);
      await fleet.allUp();
    });
    await atRest(database, ledger, options.patienceMs, signal);
    const crashes = fleet.members.flatMap((member) => member.crashes);
    await fleet.close();

    const observations = {
      ...(await onDatabase(database, observeDatabase)),
      queued: await observeQueues(surroundings.rabbitmq.connection.url, queue),
    };
    const recoveryBoundMs = options.recoveryMs + options.intervalMs;
    const entries = [...ledger.entries];
    return {
      verdict: judge({ ledger, observations, timeline, crashes, recoveryBoundMs, until }),
      acknowledged: entries.filter(({ acknowledgedAt }) => acknowledgedAt !== undefined).length,
      resent: entries.filter(({ attempts }) => attempts > 1).length,
      unknowns: ledger.unknowns,
      faults,
      lanes: new Set(observations.operations.map(({ lane }) => lane)).size,
      chunks: observations.chunksAt.length,
      notifiedAgain: entries.filter(({ notified }) => (notified?.times ?? 0) > 1).length,
      abandonedStarts: fleet.members.reduce((sum, member) => sum + member.abandonedStarts, 0),
      history: fleet.members
        .flatMap(({ name, history }) => history.map((line) => line.replace('] ', `] ${name}: `)))
        .sort(),
      seconds: (performance.now() - startedAt) / 1000,
    };
  } finally {
    await scene.close();
  }
}

/** What a run consists of, up and ready. */
interface Scene {
  queue: string;
  database: DatabaseConnection;
  ledger: Ledger;
  timeline: Timeline;
  fleet: Fleet;
  load: Load;
  close(): Promise<void>;
}

async function setTheScene(options: ChaosOptions, surroundings: Surroundings, random: Random): Promise<Scene> {
  const { rabbitmq, postgres, callerProxy } = surroundings;
  const queue = uniqueName('chaos');
  const timeline = new Timeline();
  const ledger = new Ledger();
  timeline.up(POSTGRES);
  timeline.up(RABBITMQ);
  const database = await postgres.createDatabase();
  await onDatabase(database, (client) => client.query(CREATE_TABLES));
  // Before the first operation is settled: the broker drops notifications for a queue that does not exist.
  const listener = await listenToNotifications(rabbitmq.connection.url, `${queue}_events`, (event) =>
    ledger.notify(event),
  );
  try {
    const fleet = await startFleet({ ...options, queue, database, random }, surroundings, timeline);
    const load = openLoad({
      rpcUrl: callerProxy.through(rabbitmq.connection.url),
      restUrls: fleet.urls,
      ...{ queue, ledger, random, forgetsIds: options.forgetsIds },
    });
    const close = async (): Promise<void> => {
      await load.close();
      await fleet.close();
      await listener.close();
    };
    try {
      await onDatabase(database, (client) => seed(client, load));
      return { queue, database, ledger, timeline, fleet, load, close };
    } catch (error) {
      await close();
      throw error;
    }
  } catch (error) {
    await listener.close();
    throw error;
  }
}

async function seed(client: pg.Client, { keys }: Load): Promise<void> {
  await client.query(SEED_COUNTERS, [keys.counters]);
  await client.query(SEED_LATEST, [keys.latest]);
}

/** It gives up when a service that is broken takes too long. */
async function eventsArrive(
  { ledger, load: { publishers } }: Pick<Scene, 'ledger' | 'load'>,
  signal: AbortSignal,
): Promise<boolean> {
  const since = Date.now();
  while (!signal.aborted && Date.now() < since + EVENTS_ARRIVE_WITHIN_MS) {
    const arrived = ledger.notifiedSince(since);
    if (publishers.every((source) => arrived.has(source))) return true;
    await delay(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
  return false;
}

/** Answers when the callers stopped. */
async function underLoad(load: Load, signal: AbortSignal, work: () => Promise<void>): Promise<number> {
  const stop = new AbortController();
  const giveUp = new AbortController();
  // Every writer listens while it pauses.
  setMaxListeners(0, stop.signal, giveUp.signal);
  const written = load.run(stop.signal, giveUp.signal);
  // A fault of ours in a writer ends the run as well; it is told below.
  written.catch(() => undefined);
  try {
    await delay(QUIET_MS, undefined, { signal });
    await work();
    signal.throwIfAborted();
    await delay(QUIET_MS, undefined, { signal });
    return Date.now();
  } finally {
    stop.abort();
    const timer = setTimeout(() => giveUp.abort(), signal.aborted ? 0 : ACKNOWLEDGED_WITHIN_MS);
    await written;
    clearTimeout(timer);
  }
}
