import { Inject, Injectable, Logger, type BeforeApplicationShutdown } from '@nestjs/common';
import type { ICreateBatchOperationResult } from '../../interfaces/operation.js';
import {
  MAX_OPERATIONS_PER_REQUEST,
  type ICreateBatchOperationEntry,
  type ICreateBatchOperationsResponse,
} from '../../interfaces/rpc.js';
import { reaches, type Access } from '../access/access.js';
import { BacklogService, type Conclude } from '../backpressure/backlog.service.js';
import { overloaded } from '../backpressure/overload-errors.js';
import { CatalogService } from '../catalog/catalog.service.js';
import { shown } from '../catalog/shown.js';
import type { Table } from '../catalog/table.js';
import { SETTINGS, type Settings } from '../config/settings.js';
import { errorKind } from '../database/sql-state.js';
import { ServiceError } from '../errors/service-error.js';
import { MetricsService } from '../observability/metrics.service.js';
import type { EnqueueResult, NewOperation } from '../queue/new-operation.js';
import { QueueService } from '../queue/queue.service.js';
import { WakeUpService } from '../wake-up/wake-up.service.js';
import { isPlainObject } from './check-json.js';
import { checkOperation } from './check-operation.js';
import { GroupCommit } from './group-commit.js';
import { NearestColumns } from './nearest-name.js';
import { parseRequest, type ParsedRequest } from './parse-request.js';

type Answer = ICreateBatchOperationResult | ServiceError;

/** An operation on its way in, with what it shares with the others of its request. */
interface Submission {
  operation: ParsedRequest;
  hints: NearestColumns;
}

/** A statement of this many operations still takes well under a tenth of a second. */
const FLUSH_LIMITS = { items: 5000, bytes: 8 * 1024 * 1024 };
/** Ten flushes: who would wait behind more is better told to come back. */
const WAITING_LIMITS = { items: 10 * FLUSH_LIMITS.items, bytes: 10 * FLUSH_LIMITS.bytes };

/** A flush takes 0.7 ms of processor time here and in the database, an operation 0.09 ms: a hundred of them, or 128 KiB, hardly feel it. */
const GATHER_LIMITS = { callers: 5, items: 100, bytes: 128 * 1024, ms: 10 };

/**
 * Takes operations in: checks their form, checks them against their tables, and stores them, those of many callers in
 * one statement. It promises that an accepted operation is durable, that a refused one left nothing behind and spoiled
 * no other, and that operations are stored in the order in which they were handed over. Executing them is the poller's.
 */
@Injectable()
export class IntakeService implements BeforeApplicationShutdown {
  private readonly logger = new Logger(IntakeService.name);
  private readonly group = new GroupCommit<Submission, Answer>(
    (submissions) => this.flush(submissions),
    FLUSH_LIMITS,
    WAITING_LIMITS,
    GATHER_LIMITS,
  );
  private readonly underWay = new Set<Promise<Answer[]>>();

  constructor(
    private readonly catalog: CatalogService,
    private readonly queue: QueueService,
    private readonly wakeUp: WakeUpService,
    private readonly metrics: MetricsService,
    private readonly backlog: BacklogService,
    @Inject(SETTINGS) private readonly settings: Settings,
  ) {}

  /**
   * @param request an `ICreateBatchOperationRequest`, as it came in
   * @throws ServiceError any refusal of `REFUSAL_CODES` that concerns an operation, QUEUE_FULL, OVERLOADED, SERVICE_UNAVAILABLE
   */
  async accept(request: unknown, access: Access): Promise<ICreateBatchOperationResult> {
    const [answer] = await this.answers([request], access);
    if (answer === undefined || answer instanceof ServiceError) throw answer ?? new Error('An operation got no answer');
    return answer;
  }

  /**
   * @param request `{ operations: [...] }`
   * @returns for each operation, in order, what became of it
   * @throws ServiceError INVALID_REQUEST, TOO_MANY_OPERATIONS; QUEUE_FULL and OVERLOADED, which refuse the request as a whole;
   * SERVICE_UNAVAILABLE when that holds for every operation
   */
  async acceptMany(request: unknown, access: Access): Promise<ICreateBatchOperationsResponse> {
    const answers = await this.answers(operationsOf(request), access);
    const [first] = answers;
    if (first instanceof ServiceError && answers.every(isUnavailable)) throw first;
    return { results: answers.map(toEntry) };
  }

  /**
   * What `acceptMany` would store of a request, or why it would not; nothing is stored. That an id is taken already
   * (IDEMPOTENCY_CONFLICT) is not told.
   *
   * @throws ServiceError INVALID_REQUEST, TOO_MANY_OPERATIONS; what the database throws when it cannot be asked
   */
  async check(request: unknown, access: Access): Promise<(NewOperation | ServiceError)[]> {
    const { parsed, submissions } = this.parse(operationsOf(request), access);
    return interleave(parsed, await this.checkAll(submissions));
  }

  /** The transports have drained what was in flight or still do; this makes sure of what nobody waits for. */
  async beforeApplicationShutdown(): Promise<void> {
    while (this.underWay.size > 0) await Promise.allSettled(this.underWay);
  }

  private answers(requests: readonly unknown[], access: Access): Promise<Answer[]> {
    const answered = this.takeIn(requests, access);
    this.underWay.add(answered);
    const forget = (): void => void this.underWay.delete(answered);
    answered.then(forget, forget);
    return answered;
  }

  private async takeIn(requests: readonly unknown[], access: Access): Promise<Answer[]> {
    const conclude = await this.enter(requests.length);
    let answers: Answer[] = [];
    try {
      const { parsed, submissions } = this.parse(requests, access);
      answers = interleave(parsed, await this.store(submissions));
      for (const answer of answers) if (answer instanceof ServiceError) this.metrics.recordRefused(answer.code);
      return answers;
    } finally {
      conclude(answers.filter(isCreated).length);
    }
  }

  /** Before anything is looked at: a refusal has to cost little when there are many. */
  private async enter(operations: number): Promise<Conclude> {
    try {
      return await this.backlog.enter(operations);
    } catch (error) {
      if (error instanceof ServiceError) this.metrics.recordRefused(error.code, operations);
      throw error;
    }
  }

  private store(submissions: readonly Submission[]): Promise<Answer[]> {
    const items = submissions.map((item) => ({ item, bytes: item.operation.bytes }));
    if (this.group.hasRoomFor(items)) return this.group.submit(items);
    const error = overloaded('has as many operations at hand as it can store at once');
    this.metrics.recordRefused(error.code, submissions.length);
    throw error;
  }

  /** @returns each request, and a submission for each that has the right form */
  private parse(
    requests: readonly unknown[],
    access: Access,
  ): { parsed: (ParsedRequest | ServiceError)[]; submissions: Submission[] } {
    const context = { maxOperationKb: this.settings.intake.maxOperationKb, now: new Date() };
    const parsed = requests.map((request) => withinReach(parseRequest(request, context), access));
    // Of the request and not of the flush: which hints a caller gets must not depend on what others send meanwhile.
    const hints = new NearestColumns();
    return { parsed, submissions: parsed.filter(isAccepted).map((operation) => ({ operation, hints })) };
  }

  /** One group of operations on its way into the queue. Never rejects: a fault is the answer to each of its callers. */
  private async flush(submissions: readonly Submission[]): Promise<Answer[]> {
    const startedAt = performance.now();
    try {
      const checked = await this.checkAll(submissions);
      const results = await this.enqueue(checked.filter(isAccepted));
      const answers = interleave(checked, results).map((result, index) =>
        toAnswer(submissions[index]!.operation.id, result),
      );
      this.concludeFlush(answers, startedAt);
      return answers;
    } catch (error) {
      this.logger.error({ message: 'Operations could not be stored', operations: submissions.length }, error);
      return submissions.map(({ operation: { id } }) => unavailable(id, error));
    }
  }

  private async checkAll(submissions: readonly Submission[]): Promise<(NewOperation | ServiceError)[]> {
    const checked = await this.checkAgainstTables(submissions, ({ operation }, table) =>
      checkOperation(operation, table),
    );
    const refused = submissions.filter((_, index) => checked[index] instanceof ServiceError);
    if (refused.length === 0) return checked;
    // The table may have been altered since it was read: nobody is refused for what was true a minute ago.
    await this.catalog.refresh();
    const again = await this.checkAgainstTables(refused, ({ operation, hints }, table) =>
      checkOperation(operation, table, hints),
    );
    return interleave(checked, again, (operation) => operation instanceof ServiceError);
  }

  private async checkAgainstTables(
    submissions: readonly Submission[],
    check: (submission: Submission, table: Table) => NewOperation | ServiceError,
  ): Promise<(NewOperation | ServiceError)[]> {
    const tables = await this.catalog.tables(submissions.map(({ operation }) => operation.target));
    return submissions.map((submission) => {
      const table = tables.get(submission.operation.target)!;
      return table instanceof ServiceError ? table : check(submission, table);
    });
  }

  /** An operation that PostgreSQL cannot even keep, for a reason that was not foreseen, is found by halving. */
  private async enqueue(operations: readonly NewOperation[]): Promise<(EnqueueResult | ServiceError)[]> {
    if (operations.length === 0) return [];
    try {
      return await this.queue.enqueue(operations);
    } catch (error) {
      if (errorKind(error) !== 'operation') throw error;
      if (operations.length === 1) return [notStorable(error)];
      const half = Math.ceil(operations.length / 2);
      return [...(await this.enqueue(operations.slice(0, half))), ...(await this.enqueue(operations.slice(half)))];
    }
  }

  private concludeFlush(answers: readonly Answer[], startedAt: number): void {
    const created = answers.filter(isCreated).length;
    const refused = answers.filter((answer) => answer instanceof ServiceError).length;
    if (created > 0) {
      this.metrics.recordAccepted(created);
      this.wakeUp.operationsAccepted();
    }
    this.logger.debug({
      message: 'Operations taken in',
      operations: answers.length,
      created,
      existing: answers.length - created - refused,
      refused,
      ms: Math.round(performance.now() - startedAt),
    });
  }
}

function operationsOf(request: unknown): readonly unknown[] {
  if (!isPlainObject(request) || !Array.isArray(request.operations)) {
    throw new ServiceError('INVALID_REQUEST', 'The request is { operations: [...] }', { field: 'operations' });
  }
  const unknown = Object.keys(request).find((field) => field !== 'operations');
  if (unknown !== undefined) {
    throw new ServiceError('INVALID_REQUEST', `The request has no field ${shown(unknown)}`, { field: unknown });
  }
  if (request.operations.length > MAX_OPERATIONS_PER_REQUEST) {
    throw new ServiceError(
      'TOO_MANY_OPERATIONS',
      `A request carries ${MAX_OPERATIONS_PER_REQUEST} operations at most, not ${request.operations.length}: send several`,
      { limit: MAX_OPERATIONS_PER_REQUEST },
    );
  }
  return request.operations;
}

/** Before the catalog is asked: whether a table exists is not told to those who may not use it. */
function withinReach(request: ParsedRequest | ServiceError, access: Access): ParsedRequest | ServiceError {
  if (request instanceof ServiceError || reaches(access, request.target)) return request;
  const { target } = request;
  return new ServiceError('TARGET_NOT_ALLOWED', `The API key does not allow operations on ${shown(target)}`, {
    target,
  });
}

function isAccepted<T>(item: T | ServiceError): item is T {
  return !(item instanceof ServiceError);
}

/** Puts `results` in the places of the items they belong to; by default of those that are no errors. */
function interleave<Item, Result>(
  items: readonly (Item | ServiceError)[],
  results: readonly Result[],
): (Result | ServiceError)[];
function interleave<Item, Result>(
  items: readonly Item[],
  results: readonly Result[],
  replaced: (item: Item) => boolean,
): (Item | Result)[];
function interleave(
  items: readonly unknown[],
  results: readonly unknown[],
  replaced: (item: unknown) => boolean = isAccepted,
): unknown[] {
  let next = 0;
  return items.map((item) => (replaced(item) ? results[next++] : item));
}

function toAnswer(id: string, result: EnqueueResult | ServiceError): Answer {
  if (result instanceof ServiceError) return result;
  if (result.outcome === 'conflict') {
    return new ServiceError(
      'IDEMPOTENCY_CONFLICT',
      `The id ${id} belongs to an operation with another body: use a new id, or repeat the first request as it was`,
      { id },
    );
  }
  return { id, status: result.status, created: result.outcome === 'created' };
}

function toEntry(answer: Answer): ICreateBatchOperationEntry {
  return answer instanceof ServiceError ? { error: answer.toAnswer() } : answer;
}

function isCreated(answer: Answer): boolean {
  return !(answer instanceof ServiceError) && answer.created;
}

function isUnavailable(answer: Answer): boolean {
  return answer instanceof ServiceError && answer.code === 'SERVICE_UNAVAILABLE';
}

function unavailable(id: string, cause: unknown): ServiceError {
  return new ServiceError(
    'SERVICE_UNAVAILABLE',
    'The database did not confirm the operation: it may be stored or not. Send it again with the same id, it takes effect once',
    { id },
    { cause },
  );
}

function notStorable(cause: unknown): ServiceError {
  const reason = cause instanceof Error ? cause.message : 'unknown reason';
  return new ServiceError('INVALID_VALUE', `PostgreSQL cannot store the request: ${reason}`, undefined, { cause });
}
