import {
  Inject,
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { SETTINGS, type Settings } from '../services/config/settings.js';
import { HealthService, type HealthContributor } from '../services/health/health.service.js';
import { Poller } from '../services/poller/poller.js';
import { WakeUpService } from '../services/wake-up/wake-up.service.js';
import { OperationChunkJob } from './operation-chunk.job.js';

/** Without a successful poll for this many intervals (and ten seconds) the worker does not do its work. */
const MISSED_INTERVALS = 3;
const GRACE_MS = 10_000;

/** Runs the main job every interval, at once after a full chunk, or when operations were accepted. */
@Injectable()
export class OperationPollerService implements OnApplicationBootstrap, BeforeApplicationShutdown, HealthContributor {
  readonly name = 'poller';
  private readonly logger = new Logger(OperationPollerService.name);
  private readonly poller: Poller;
  private stopListening: (() => void) | undefined;
  private startedAt = 0;

  constructor(
    job: OperationChunkJob,
    @Inject(SETTINGS) private readonly settings: Settings,
    private readonly wakeUp: WakeUpService,
    private readonly health: HealthService,
  ) {
    this.poller = new Poller(job);
  }

  onApplicationBootstrap(): void {
    const { wakeUp, wakeUpDelayMs, intervalMs, limit } = this.settings.poller;
    this.startedAt = Date.now();
    this.health.register(this);
    if (wakeUp) this.stopListening = this.wakeUp.onOperationsAccepted(() => this.poller.wake(wakeUpDelayMs));
    this.poller.start();
    this.logger.log({ message: 'Poller started', intervalMs, limit, wakeUp });
  }

  /** The running chunk is finished; whatever it has not begun stays pending. */
  async beforeApplicationShutdown(): Promise<void> {
    this.stopListening?.();
    await this.poller.stop();
  }

  check(): string | undefined {
    const silentForMs = Date.now() - (this.poller.lastSuccessAt ?? this.startedAt);
    if (silentForMs <= MISSED_INTERVALS * this.settings.poller.intervalMs + GRACE_MS) return undefined;
    return `no chunk was polled successfully for ${Math.round(silentForMs / 1000)} s`;
  }
}
