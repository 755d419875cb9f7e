import { Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { classifyFailure } from '../database/classify-failure.js';
import { MetricsService } from '../observability/metrics.service.js';
import { HealthService, type HealthContributor } from './health.service.js';

/** Where the service met its own error. */
export type BugPlace = 'chunk' | 'plan' | 'intake';

/** A lane that a bug stops is tried every hour or more often. So the bug is reported while the lane is blocked. */
const TOLD_FOR_MS = 2 * 3_600_000;

/**
 * Reports errors of the service itself: with their stack in the log, in a metric, and in readiness for two hours after
 * the last one. The code that met the error decides what happens to its work.
 */
@Injectable()
export class BugsService implements HealthContributor, OnModuleInit {
  readonly name = 'service';
  /** The service continues with everything else. */
  readonly optional = true;
  private readonly logger = new Logger('Bugs');
  private readonly told = new WeakSet<object>();
  private latest: { place: BugPlace; error: unknown; at: number } | undefined;

  constructor(
    private readonly metrics: MetricsService,
    private readonly health: HealthService,
  ) {}

  onModuleInit(): void {
    this.health.register(this);
  }

  /** Returns true when the error is a bug. The same error is reported once, even if several callers report it. */
  report(place: BugPlace, error: unknown): boolean {
    if (classifyFailure(error) !== 'bug') return false;
    if (isObject(error) && this.told.has(error)) return true;
    if (isObject(error)) this.told.add(error);
    this.latest = { place, error, at: performance.now() };
    this.metrics.recordBug(place);
    this.logger.error({
      message: 'The service has met a bug of its own; no operation fails because of it',
      place,
      err: error,
    });
    return true;
  }

  check(): string | undefined {
    if (this.latest === undefined) return undefined;
    const { place, error, at } = this.latest;
    const agoMs = performance.now() - at;
    if (agoMs > TOLD_FOR_MS) return undefined;
    return `the service met a bug of its own ${Math.round(agoMs / 1000)} s ago (${place}: ${nameOf(error)}); its log has the stack trace`;
  }
}

const isObject = (error: unknown): error is object => typeof error === 'object' && error !== null;

/** The message may quote values of callers, and health is served without a key. */
const nameOf = (error: unknown): string => (error instanceof Error ? error.name : typeof error);
