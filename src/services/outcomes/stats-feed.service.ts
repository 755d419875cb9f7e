import { Injectable, Logger, type OnModuleDestroy } from '@nestjs/common';
import {
  catchError,
  defer,
  exhaustMap,
  finalize,
  from,
  map,
  of,
  ReplaySubject,
  share,
  takeUntil,
  timer,
  type Observable,
} from 'rxjs';
import type { IStats } from '../../interfaces/stats.js';
import { overloaded } from '../backpressure/overload-errors.js';
import { messageOf } from '../errors/message-of.js';
import { SparseLog } from '../observability/sparse-log.js';
import { StatsService } from './stats.service.js';

const EVERY_MS = 1000;
/** Each listener keeps a connection. */
export const MAX_LISTENERS = 100;

/** The stats of one moment. Undefined: the database did not answer. */
export type FedStats = IStats | undefined;

/**
 * Tells listeners the stats every second. It promises that one query serves all listeners, that none runs while nobody
 * listens, and that all feeds end when the process begins to stop.
 */
@Injectable()
export class StatsFeedService implements OnModuleDestroy {
  private readonly failures = new SparseLog(new Logger(StatsFeedService.name));
  private readonly stopping = new ReplaySubject<void>(1);
  private listeners = 0;
  private readonly feed = timer(0, EVERY_MS).pipe(
    // A slow database is not asked again before it has answered.
    exhaustMap(() => this.read()),
    // The last stats are at most a second old, so a new listener gets them at once.
    share({ connector: () => new ReplaySubject(1), resetOnRefCountZero: true }),
  );

  constructor(private readonly stats: StatsService) {}

  /** @throws ServiceError OVERLOADED */
  listen(): Observable<FedStats> {
    if (this.listeners >= MAX_LISTENERS) {
      throw overloaded(`has ${this.listeners} listeners of its stats, and accepts no more`);
    }
    return defer(() => {
      this.listeners += 1;
      return this.feed.pipe(
        takeUntil(this.stopping),
        finalize(() => (this.listeners -= 1)),
      );
    });
  }

  onModuleDestroy(): void {
    this.stopping.next();
  }

  private read(): Observable<FedStats> {
    return from(this.stats.sharedStats()).pipe(
      map((stats): FedStats => stats),
      catchError((error: unknown) => {
        this.failures.log({ message: `The stats could not be read for their listeners: ${messageOf(error)}` });
        return of(undefined);
      }),
    );
  }
}
