import { Inject, Injectable, Logger, type BeforeApplicationShutdown } from '@nestjs/common';
import { isolate, type Blame } from '../../batch/isolate.js';
import type { ErrorCode } from '../../interfaces/error.js';
import type { ICreateBatchOperationResult } from '../../interfaces/operation.js';
import {
  MAX_OPERATIONS_PER_REQUEST,
  type ICreateBatchOperationEntry,
  type ICreateBatchOperationsResponse,
} from '../../interfaces/rpc.js';
import { callerName, reaches, type Access } from '../access/access.js';
import { sourceFor } from '../access/sources.js';
import { BacklogService, type Conclude } from '../backpressure/backlog.service.js';
import { overloaded } from '../backpressure/overload-errors.js';
import { CatalogService } from '../catalog/catalog.service.js';
import { shown } from '../catalog/shown.js';
import type { Table } from '../catalog/table.js';
import { SETTINGS, type Settings } from '../config/settings.js';
import { classifyFailure, type FailureKind } from '../database/classify-failure.js';
import { ServiceError } from '../errors/service-error.js';
import { BugsService } from '../health/bugs.service.js';
import { MetricsService } from '../observability/metrics.service.js';
import type { EnqueueResult, NewOperation } from '../queue/new-operation.js';
import { laneBusy } from '../queue/lane-busy.js';
import { QueueService } from '../queue/queue.service.js';
import { inSlices } from '../steps/in-slices.js';
import { mapInSteps } from '../steps/steps.js';
import { WakeUpService } from '../wake-up/wake-up.service.js';
import { isPlainObject } from './check-json.js';
import { checkOperation } from './check-operation.js';
import { GroupCommit } from './group-commit.js';
import { NearestNames } from './nearest-names.js';
import { parseRequest, type ParsedRequest } from './parse-request.js';
import { ExactJson } from '../values/exact-json.js';
import type { PipelinePlace } from './submission-pipeline.js';
import { Turns } from './turns.js';

const UNAVAILABLE: readonly ErrorCode[] = ['SERVICE_UNAVAILABLE', 'LANE_BUSY'];

type Answer = ICreateBatchOperationResult | ServiceError;

/** An operation of the right form, with what it shares with the others of its request. */
interface Submission {
  operation: ParsedRequest;
  hints: NearestNames;
}

/** An operation that is to be stored, or to be answered in its order. */
interface CheckedSubmission {
  id: string;
  checked: NewOperation | ServiceError;
  /** Undefined: of a request that is bound to no order. */
  place: PipelinePlace | undefined;
}

/** By the text that callers name them by. */
type Tables = ReadonlyMap<string, Table | ServiceError>;
type Check = (submission: Submission, table: Table) => NewOperation | ServiceError;

/** The order of all callers without a key. */
const WITHOUT_KEY = 'callers without a key';

/** A statement of this many operations still takes well under a tenth of a second. */
const FLUSH_LIMITS = { items: 1000, bytes: 1024 * 1024 };
/** Their tables are looked up at once, which takes some milliseconds where none of them exists. */
const CHECKED_AT_ONCE = 500;
const LOG_INTERVAL_MS = 1000;
/** A few seconds of work: who would wait behind more is better told to come back. */
const WAITING_LIMITS = { items: 50_000, bytes: 80 * 1024 * 1024 };

/** Who is to blame for a failure to store operations. */
const BLAME = {
  transient: 'abort',
  systemic: 'abort',
  operation: 'unproven',
  unknown: 'unproven',
  bug: 'item',
} as const satisfies Record<FailureKind, Blame>;
const MAX_UNKNOWN_FAILURES = 50;

/** A flush takes 0.7 ms of processor time here and in the database, an operation 0.09 ms: a hundred of them, or 128 KiB, hardly feel it. */
const GATHER_LIMITS = { callers: 5, items: 100, bytes: 128 * 1024, ms: 10 };

/**
 * Takes operations in: checks their form, checks them against their tables, and stores them, those of many callers in
 * one statement. It promises that an accepted operation is durable, that a refused one left nothing behind and spoiled
 * no other, and that the operations of a caller are stored in the order in which they were handed over: those of an API key, those
 * of the messages of a channel, and those of all callers without a key. Executing them is the poller's.
 */
@Injectable()
export class IntakeService implements BeforeApplicationShutdown {
  private readonly logger = new Logger(IntakeService.name);
  private readonly group = new GroupCommit<CheckedSubmission, Answer>(
    (submissions) => this.flush(submissions),
    FLUSH_LIMITS,
    WAITING_LIMITS,
    GATHER_LIMITS,
  );
  private readonly turns = new Turns();
  private readonly underWay = new Set<Promise<Answer[]>>();
  /** When a request that could not be checked is logged again, in milliseconds of the monotonic clock. */
  private nextCheckFailureAt = 0;

  constructor(
    private readonly catalog: CatalogService,
    private readonly queue: QueueService,
    private readonly wakeUp: WakeUpService,
    private readonly metrics: MetricsService,
    private readonly backlog: BacklogService,
    private readonly bugs: BugsService,
    @Inject(SETTINGS) private readonly settings: Settings,
  ) {}

  /**
   * @param request an `ICreateBatchOperationRequest`, as it came in
   * @param place where the request has to keep its order among others
   * @throws ServiceError any refusal of `REFUSAL_CODES` that concerns an operation, QUEUE_FULL, OVERLOADED, LANE_BUSY,
   * SERVICE_UNAVAILABLE
   */
  async accept(request: unknown, access: Access, place?: PipelinePlace): Promise<ICreateBatchOperationResult> {
    const [answer] = await this.answers([request], access, place);
    if (answer === undefined || answer instanceof ServiceError) throw answer ?? new Error('An operation got no answer');
    return answer;
  }

  /**
   * @param request `{ operations: [...] }`
   * @param place where the request has to keep its order among others
   * @returns for each operation, in order, what became of it
   * @throws ServiceError INVALID_REQUEST, TOO_MANY_OPERATIONS; QUEUE_FULL and OVERLOADED, which refuse the request as a whole;
   * SERVICE_UNAVAILABLE and LANE_BUSY when that holds for every operation
   */
  async acceptMany(request: unknown, access: Access, place?: PipelinePlace): Promise<ICreateBatchOperationsResponse> {
    const answers = await this.answers(operationsOf(request), access, place);
    const [first] = answers;
    if (first instanceof ServiceError && answers.every(isUnavailable)) throw first;
    return { results: answers.map(toEntry) };
  }

  /**
   * What `acceptMany` would store of a request for a plan, or why it would not; nothing is stored. That an id is taken already
   * (IDEMPOTENCY_CONFLICT) is not told.
   *
   * @throws ServiceError INVALID_REQUEST, TOO_MANY_OPERATIONS; what the database throws when it cannot be asked
   */
  async check(request: unknown, access: Access): Promise<(NewOperation | ServiceError)[]> {
    const operations = operationsOf(
      request,
      this.settings.intake.planLimit,
      'for a plan (BATCH_PLAN_OPERATION_LIMIT) ',
    );
    const { parsed, submissions } = await this.parse(operations, access);
    return interleave(parsed, await this.checkAll(submissions));
  }

  /** The transports have drained what was in flight or still do; this makes sure of what nobody waits for. */
  async beforeApplicationShutdown(): Promise<void> {
    while (this.underWay.size > 0) await Promise.allSettled(this.underWay);
  }

  private answers(requests: readonly unknown[], access: Access, place?: PipelinePlace): Promise<Answer[]> {
    const answered = this.takeIn(requests, access, place);
    this.underWay.add(answered);
    const forget = (): void => void this.underWay.delete(answered);
    answered.then(forget, forget);
    return answered;
  }

  private async takeIn(requests: readonly unknown[], access: Access, place?: PipelinePlace): Promise<Answer[]> {
    const order = place?.order ?? callerName(access) ?? WITHOUT_KEY;
    const turn = this.turns.take(order);
    try {
      const conclude = await this.enter(requests, access);
      let answers: Answer[] = [];
      try {
        const { parsed, submissions } = await this.parse(requests, access);
        // Not together with others' operations: what takes long for one request is nothing for the others to wait for.
        const checked = await this.checkSafely(submissions);
        await turn.begun;
        const stored = this.store(submissions, checked, order, place);
        turn.end();
        place?.submitted();
        answers = interleave(parsed, await stored);
        for (const answer of answers) if (answer instanceof ServiceError) this.metrics.recordRefused(answer.code);
        return answers;
      } finally {
        conclude(answers.map(isCreated));
      }
    } finally {
      turn.end();
    }
  }

  /** Before anything is looked at: a refusal has to cost little when there are many. */
  private async enter(requests: readonly unknown[], access: Access): Promise<Conclude> {
    try {
      return await this.backlog.enter(requests, callerName(access));
    } catch (error) {
      if (error instanceof ServiceError) this.metrics.recordRefused(error.code, requests.length);
      throw error;
    }
  }

  private store(
    submissions: readonly Submission[],
    checked: readonly (NewOperation | ServiceError)[],
    order: unknown,
    place: PipelinePlace | undefined,
  ): Promise<Answer[]> {
    const items = submissions.map(({ operation: { id, bytes } }, index) => ({
      item: { id, checked: checked[index]!, place },
      bytes,
    }));
    if (this.group.hasRoomFor(items)) return this.group.submit(items, order);
    const error = overloaded('has as many operations at hand as it can store at once');
    this.metrics.recordRefused(error.code, submissions.length);
    throw error;
  }

  /** @returns each request, and a submission for each that has the right form */
  private async parse(
    requests: readonly unknown[],
    access: Access,
  ): Promise<{ parsed: (ParsedRequest | ServiceError)[]; submissions: Submission[] }> {
    const createdBy = callerName(access);
    const context = { maxOperationKb: this.settings.intake.maxOperationKb, now: new Date(), createdBy };
    const parsed = await inSlices(mapInSteps(requests, (request) => allowed(parseRequest(request, context), access)));
    // Of the request and not of the flush: which hints a caller gets must not depend on what others send meanwhile.
    const hints = new NearestNames(() => this.catalog.tableIds().filter((id) => reaches(access, id)));
    return { parsed, submissions: parsed.filter(isAccepted).map((operation) => ({ operation, hints })) };
  }

  /** One group of operations on its way into the queue. Never rejects: a fault is the answer to each of its callers. */
  private async flush(submissions: readonly CheckedSubmission[]): Promise<Answer[]> {
    const refusals = submissions.map(({ place, checked }) => {
      const refusal = place?.begin();
      // Nothing that comes after it may be begun.
      if (refusal === undefined && isUnavailable(checked)) place?.fail(checked);
      return refusal;
    });
    const begun = submissions.filter((_, index) => refusals[index] === undefined);
    if (begun.length === submissions.length) return this.storeGroup(submissions);
    const answers = begun.length === 0 ? [] : await this.storeGroup(begun);
    return interleave(refusals, answers, (refusal) => refusal === undefined) as Answer[];
  }

  private async storeGroup(submissions: readonly CheckedSubmission[]): Promise<Answer[]> {
    const startedAt = performance.now();
    try {
      const checked = submissions.map((submission) => submission.checked);
      const results = await this.enqueue(checked.filter(isAccepted));
      const answers = interleave(checked, results).map((result, index) => toAnswer(submissions[index]!.id, result));
      // Before the next group is begun: nothing of its order may overtake what is handed over again.
      answers.forEach((answer, index) => isUnavailable(answer) && submissions[index]!.place?.fail(answer));
      this.concludeFlush(answers, startedAt);
      return answers;
    } catch (error) {
      this.logger.error({ message: 'Operations could not be stored', operations: submissions.length }, error);
      const failures = this.failAll(submissions, error);
      failures.forEach((failure, index) => isUnavailable(failure) && submissions[index]!.place?.fail(failure));
      return failures;
    }
  }

  /** Why none of them has a result, for a reason that is none of theirs. */
  private failAll(submissions: readonly { id: string }[], error: unknown): ServiceError[] {
    const isBug = this.bugs.report('intake', error);
    return submissions.map(({ id }) => (isBug ? failedByBug(id, error) : unavailable(id, error)));
  }

  /** All requests meet it that come while the database cannot be asked for the tables. */
  private logCheckFailure(error: unknown): void {
    if (performance.now() < this.nextCheckFailureAt) return;
    this.nextCheckFailureAt = performance.now() + LOG_INTERVAL_MS;
    this.logger.error({ message: 'Operations could not be checked' }, error);
  }

  /** Never rejects: a fault is the answer to each, and is told in its order. */
  private async checkSafely(submissions: readonly Submission[]): Promise<(NewOperation | ServiceError)[]> {
    try {
      return await this.checkAll(submissions);
    } catch (error) {
      this.logCheckFailure(error);
      return this.failAll(
        submissions.map(({ operation }) => operation),
        error,
      );
    }
  }

  private async checkAll(submissions: readonly Submission[]): Promise<(NewOperation | ServiceError)[]> {
    const checked: (NewOperation | ServiceError)[] = [];
    for (let at = 0; at < submissions.length; at += CHECKED_AT_ONCE) {
      if (at > 0) await new Promise(setImmediate);
      checked.push(...(await this.checkTogether(submissions.slice(at, at + CHECKED_AT_ONCE))));
    }
    return checked;
  }

  private async checkTogether(submissions: readonly Submission[]): Promise<(NewOperation | ServiceError)[]> {
    const tables = await this.tablesOf(submissions);
    const checked = await this.checkAgainst(tables, submissions, ({ operation }, table) =>
      checkOperation(operation, table),
    );
    const refused = submissions.filter((_, index) => checked[index] instanceof ServiceError);
    if (refused.length === 0) return checked;
    // The table may have been altered since it was read: nobody is refused for what was true a moment ago. That there is no such
    // table was looked up already.
    const found = refused.map(({ operation }) => tables.get(operation.target)!).filter((table) => isAccepted(table));
    const changed = found.length > 0 && (await this.catalog.forgetIfChanged(found.map(({ id }) => id)));
    const again = await this.checkAgainst(
      changed ? await this.tablesOf(refused) : tables,
      refused,
      ({ operation, hints }, table) => checkOperation(operation, table, hints),
    );
    const told = again.map((refusal, index) => withNearestTable(refusal, refused[index]!));
    return interleave(checked, told, (operation) => operation instanceof ServiceError);
  }

  private tablesOf(submissions: readonly Submission[]): Promise<Tables> {
    return this.catalog.tables(submissions.map(({ operation }) => operation.target));
  }

  private checkAgainst(
    tables: Tables,
    submissions: readonly Submission[],
    check: Check,
  ): Promise<(NewOperation | ServiceError)[]> {
    return inSlices(
      mapInSteps(submissions, (submission) => {
        const table = tables.get(submission.operation.target)!;
        return table instanceof ServiceError ? table : this.checkOne(submission, table, check);
      }),
    );
  }

  /** A bug that the values of one request bring about is no reason to answer nobody else. */
  private checkOne(submission: Submission, table: Table, check: Check): NewOperation | ServiceError {
    try {
      return check(submission, table);
    } catch (error) {
      this.bugs.report('intake', error);
      return failedByBug(submission.operation.id, error);
    }
  }

  /**
   * An operation that PostgreSQL cannot even keep, for a reason that was not foreseen, is found by halving. It is refused only if its
   * error is of those that an operation can bring about, and it fails alone twice while storing nothing succeeds.
   */
  private async enqueue(operations: readonly NewOperation[]): Promise<(EnqueueResult | ServiceError)[]> {
    if (operations.length === 0) return [];
    let unknownFailures = 0;
    const blame = (error: unknown): Blame => {
      const kind = classifyFailure(error);
      // As a rule it is nothing that an operation has brought about: many of them would only be tried in vain.
      if (kind === 'unknown' && (unknownFailures += 1) > MAX_UNKNOWN_FAILURES) return 'abort';
      return BLAME[kind];
    };
    return isolate<NewOperation, EnqueueResult | ServiceError>(operations, {
      attempt: (some) => this.queue.enqueue(some),
      blame,
      failure: ({ id }, error) => this.refuse(id, error),
    });
  }

  private refuse(id: string, error: unknown): ServiceError {
    if (this.bugs.report('intake', error)) return failedByBug(id, error);
    return classifyFailure(error) === 'operation' ? notStorable(error) : unavailable(id, error);
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

function operationsOf(request: unknown, limit = MAX_OPERATIONS_PER_REQUEST, purpose = ''): readonly unknown[] {
  if (request instanceof ExactJson) throw new ServiceError('INVALID_REQUEST', 'The request has one field twice');
  if (!isPlainObject(request) || !Array.isArray(request.operations)) {
    throw new ServiceError('INVALID_REQUEST', 'The request is { operations: [...] }', { field: 'operations' });
  }
  const unknown = Object.keys(request).find((field) => field !== 'operations');
  if (unknown !== undefined) {
    throw new ServiceError('INVALID_REQUEST', `The request has no field ${shown(unknown)}, only operations`, {
      field: unknown,
    });
  }
  if (request.operations.length > limit) {
    throw new ServiceError(
      'TOO_MANY_OPERATIONS',
      `A request ${purpose}carries ${limit} operations at most, not ${request.operations.length}: send several`,
      { limit },
    );
  }
  return request.operations;
}

/** Before the catalog is asked: whether a table exists is not told to those who may not use it. */
function allowed(request: ParsedRequest | ServiceError, access: Access): ParsedRequest | ServiceError {
  if (request instanceof ServiceError) return request;
  const { target } = request;
  if (!reaches(access, target)) {
    return new ServiceError('TARGET_NOT_ALLOWED', `The API key does not allow operations on ${shown(target)}`, {
      target,
    });
  }
  const source = sourceFor(access, request.source);
  if (source instanceof ServiceError) return source;
  return source === request.source ? request : { ...request, source };
}

function withNearestTable<T>(
  refusal: T | ServiceError,
  { operation: { target }, hints }: Submission,
): T | ServiceError {
  if (!(refusal instanceof ServiceError) || refusal.code !== 'UNKNOWN_TARGET') return refusal;
  // It exists, and is no table.
  if (refusal.details?.kind !== undefined) return refusal;
  const nearest = hints.table(target);
  if (nearest === undefined) return refusal;
  return new ServiceError('UNKNOWN_TARGET', `There is no table ${shown(target)}; did you mean ${shown(nearest)}?`, {
    ...refusal.details,
    nearest,
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
  if (result.outcome === 'busy') return laneBusy(`The table of operation ${id} is being moved to another lane`);
  return { id, status: result.status, created: result.outcome === 'created' };
}

function toEntry(answer: Answer): ICreateBatchOperationEntry {
  return answer instanceof ServiceError ? { error: answer.toAnswer() } : answer;
}

function isCreated(answer: Answer): boolean {
  return !(answer instanceof ServiceError) && answer.created;
}

/** For a reason that says nothing about the operation. */
function isUnavailable(answer: unknown): answer is ServiceError {
  return answer instanceof ServiceError && UNAVAILABLE.includes(answer.code);
}

function unavailable(id: string, cause: unknown): ServiceError {
  return new ServiceError(
    'SERVICE_UNAVAILABLE',
    'The database did not confirm the operation: it may be stored or not. Send it again with the same id, it takes effect once',
    { id },
    { cause },
  );
}

function failedByBug(id: string, cause: unknown): ServiceError {
  return new ServiceError(
    'INTERNAL_ERROR',
    'The service itself failed on this operation: it may be stored or not. Its log has the cause; sent again with the same id, it takes effect once',
    { id },
    { cause },
  );
}

function notStorable(cause: unknown): ServiceError {
  const reason = cause instanceof Error ? cause.message : 'unknown reason';
  return new ServiceError('INVALID_VALUE', `PostgreSQL cannot store the request: ${reason}`, undefined, { cause });
}
