import {
  Inject,
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { SETTINGS, type Settings } from '../services/config/settings.js';
import { NOTIFY_CHANNEL } from '../entities/functions/create-operations.js';
import { DatabaseService } from '../services/database/database.service.js';
import type { Listener } from '../services/database/listener.js';
import { HealthService, type HealthContributor, type LivenessContributor } from '../services/health/health.service.js';
import { Poller, stuckReason } from '../services/poller/poller.js';
import { WakeUpService } from '../services/wake-up/wake-up.service.js';
import { LanesService } from '../services/queue/lanes.service.js';
import { LaneWatchService } from '../services/waiting/lane-watch.service.js';
import { LaneRecoveryJob } from './lane-recovery.job.js';
import { LightLanesJob } from './light-lanes.job.js';
import { OperationChunkJob } from './operation-chunk.job.js';

/** Without a successful poll for this many intervals (and ten seconds), the worker counts as down. */
const MISSED_INTERVALS = 3;
const GRACE_MS = 10_000;

/**
 * Runs the main job at every interval, directly after a full chunk, and when operations were accepted. It also runs the
 * job for the other lanes while the main job is busy, the one that tries blocked lanes, and the watch of lanes that wait
 * for a lock.
 */
@Injectable()
export class OperationPollerService
  implements OnApplicationBootstrap, BeforeApplicationShutdown, HealthContributor, LivenessContributor
{
  readonly name = 'poller';
  private readonly logger = new Logger(OperationPollerService.name);
  private readonly poller: Poller;
  private readonly lightPoller: Poller;
  private readonly recoveryPoller: Poller;
  private readonly watchPoller: Poller;
  private stopListening: (() => void) | undefined;
  private listener: Listener | undefined;
  private startedAt = 0;

  constructor(
    private readonly job: OperationChunkJob,
    private readonly lightLanes: LightLanesJob,
    recovery: LaneRecoveryJob,
    laneWatch: LaneWatchService,
    private readonly lanes: LanesService,
    private readonly database: DatabaseService,
    @Inject(SETTINGS) private readonly settings: Settings,
    private readonly wakeUp: WakeUpService,
    private readonly health: HealthService,
  ) {
    this.poller = new Poller(job);
    this.lightPoller = new Poller(lightLanes);
    this.recoveryPoller = new Poller(recovery);
    const executing = [this.poller, this.lightPoller, this.recoveryPoller];
    laneWatch.watch(() => Math.max(...executing.map(({ pollingForMs }) => pollingForMs ?? 0)));
    this.watchPoller = new Poller(laneWatch);
  }

  onApplicationBootstrap(): void {
    const { wakeUp, wakeUpDelayMs, intervalMs, limit } = this.settings.poller;
    this.startedAt = Date.now();
    this.health.register(this);
    this.health.registerLiveness(this);
    if (wakeUp) {
      const wake = (): void => {
        this.poller.wake(wakeUpDelayMs);
        this.lightPoller.wake(this.lightLanes.wakeUpDelayMs);
      };
      this.stopListening = this.wakeUp.onOperationsAccepted(wake);
      this.listener = this.database.listen(NOTIFY_CHANNEL, wake);
    }
    this.poller.start();
    this.lightPoller.start();
    this.recoveryPoller.start();
    this.watchPoller.start();
    this.logger.log({ message: 'Poller started', intervalMs, limit, wakeUp });
  }

  /** Finishes the running chunk. All other operations stay pending. */
  async beforeApplicationShutdown(): Promise<void> {
    this.stopListening?.();
    this.listener?.stop();
    const pollers = [this.poller, this.lightPoller, this.recoveryPoller, this.watchPoller];
    await Promise.all(pollers.map((poller) => poller.stop()));
    // If this fails, the other workers notice some seconds later that this worker has stopped.
    await this.lanes
      .leave()
      .catch((error: Error) => this.logger.warn(`Could not leave the list of workers: ${error.message}`));
  }

  check(): string | undefined {
    const silentForMs = Date.now() - (this.poller.lastSuccessAt ?? this.startedAt);
    if (silentForMs <= MISSED_INTERVALS * this.settings.poller.intervalMs + GRACE_MS) return undefined;
    return `no chunk was polled successfully for ${Math.round(silentForMs / 1000)} s`;
  }

  stuck(): string | undefined {
    const { stuckTimeoutMs } = this.settings.execution;
    return (
      stuckReason(this.poller, stuckTimeoutMs) ??
      stuckReason(this.lightPoller, stuckTimeoutMs) ??
      stuckReason(this.recoveryPoller, stuckTimeoutMs) ??
      this.bugReason(stuckTimeoutMs)
    );
  }

  /** A restart may help, because the fault may be in the memory of this process. */
  private bugReason(timeoutMs: number): string | undefined {
    const { failsByBugsForMs } = this.job;
    if (failsByBugsForMs <= timeoutMs) return undefined;
    return `every poll has met a bug of the service for ${Math.round(failsByBugsForMs / 1000)} s; the log has the stack trace`;
  }
}
