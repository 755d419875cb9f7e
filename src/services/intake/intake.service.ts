import { Inject, Injectable, Logger, type BeforeApplicationShutdown } from '@nestjs/common';
import { isolate, type Blame } from '../../batch/chunk/isolate.js';
import type { ErrorCode } from '../../interfaces/error.js';
import type { ICreateBatchOperationResult } from '../../interfaces/operation.js';
import {
  MAX_OPERATIONS_PER_REQUEST,
  type ICreateBatchOperationEntry,
  type ICreateBatchOperationsResponse,
} from '../../interfaces/rpc.js';
import { callerName, type Access } from '../access/access.js';
import { BacklogService, type Conclude } from '../backpressure/backlog.service.js';
import { overloaded } from '../backpressure/overload-errors.js';
import { CatalogService } from '../catalog/catalog.service.js';
import { quoteForMessage } from '../errors/quote-for-message.js';
import { SETTINGS, type Settings } from '../config/settings.js';
import { classifyFailure, type FailureKind } from '../database/classify-failure.js';
import { ServiceError } from '../errors/service-error.js';
import { BugsService } from '../health/bugs.service.js';
import { MetricsService } from '../observability/metrics.service.js';
import type { EnqueueResult, NewOperation } from '../queue/new-operation.js';
import { laneBusy } from '../queue/lane-busy.js';
import { QueueService } from '../queue/queue.service.js';
import { ExactJson } from '../values/exact-json.js';
import { WakeUpService } from '../wake-up/wake-up.service.js';
import { isPlainObject } from './check-json.js';
import { GroupCommit } from './group-commit.js';
import { drained, failedByBug, failureOf, isAccepted, notStorable, unavailable } from './intake-errors.js';
import { OperationChecks } from './operation-checks.js';
import type { PipelinePlace } from './submission-pipeline.js';
import { traceStore } from './trace-store.js';
import { Turns } from './turns.js';

const UNAVAILABLE: readonly ErrorCode[] = ['SERVICE_UNAVAILABLE', 'LANE_BUSY'];

type Answer = ICreateBatchOperationResult | ServiceError;

/** An operation to store, or a refusal to answer in its order. */
interface CheckedSubmission {
  checked: NewOperation | ServiceError;
  bytes: number;
  /** Undefined when the request has no place in a pipeline. */
  place: PipelinePlace | undefined;
}

/** The order of all callers without a key. */
const WITHOUT_KEY = 'callers without a key';

/** A statement of this many operations still takes well under a tenth of a second. */
const FLUSH_LIMITS = { items: 1000, bytes: 1024 * 1024 };
/** A few seconds of work, with the pauses of bulk callers. A caller who would wait longer is told to come back. */
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

/** Processor time here and in the database: 0.7 ms a flush, 0.09 ms an operation. 100 operations need no wait. */
const GATHER_LIMITS = { callers: 5, items: 100, bytes: 128 * 1024, ms: 10 };

/**
 * Takes operations in: checks their form, checks them against their tables, and stores the operations of many callers
 * in one statement. An accepted operation is durable. A refused one leaves nothing behind and harms no other.
 * Operations are stored in the order of their submission: those of one API key, those from the messages of one channel,
 * and those of all callers without a key. The poller executes them.
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
  private readonly checks: OperationChecks;
  private readonly turns = new Turns();
  private readonly underWay = new Set<Promise<Answer[]>>();

  constructor(
    catalog: CatalogService,
    private readonly queue: QueueService,
    private readonly wakeUp: WakeUpService,
    private readonly metrics: MetricsService,
    private readonly backlog: BacklogService,
    private readonly bugs: BugsService,
    @Inject(SETTINGS) private readonly settings: Settings,
  ) {
    this.checks = new OperationChecks(catalog, bugs, settings);
  }

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
   * @throws ServiceError INVALID_REQUEST, TOO_MANY_OPERATIONS; QUEUE_FULL and OVERLOADED, which refuse the whole
   * request; SERVICE_UNAVAILABLE and LANE_BUSY when that holds for every operation
   */
  async acceptMany(request: unknown, access: Access, place?: PipelinePlace): Promise<ICreateBatchOperationsResponse> {
    const answers = await this.answers(operationsOf(request), access, place);
    const [first] = answers;
    if (first instanceof ServiceError && answers.every(isUnavailable)) throw first;
    return { results: answers.map(toEntry) };
  }

  /**
   * What `acceptMany` would store of a request for a plan, or why it would not. Nothing is stored. It does not check
   * whether an id is already taken (IDEMPOTENCY_CONFLICT).
   *
   * @throws ServiceError INVALID_REQUEST, TOO_MANY_OPERATIONS; what the database throws when it cannot be asked
   */
  async check(request: unknown, access: Access): Promise<(NewOperation | ServiceError)[]> {
    const operations = operationsOf(
      request,
      this.settings.intake.planLimit,
      'for a plan (BATCH_PLAN_OPERATION_LIMIT) ',
    );
    return this.checks.check(operations, access);
  }

  /** The transports wait for their own requests. This also waits for requests whose caller has left. */
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
        // Each request is checked on its own, so that nobody waits for another caller's slow check.
        const checked = await this.checks.checkSafely(requests, access);
        await turn.begun;
        const stored = this.store(checked, order, place);
        turn.end();
        place?.submitted();
        const results = await stored;
        let next = 0;
        answers = checked.map((each) => (isOwnRefusal(each) ? each : results[next++]!));
        for (const answer of answers) if (answer instanceof ServiceError) this.metrics.recordRefused(answer.code);
        return answers;
      } finally {
        conclude(answers.map(isCreated));
      }
    } finally {
      turn.end();
    }
  }

  /** Comes before every check, because a refusal has to cost little when there are many. */
  private async enter(requests: readonly unknown[], access: Access): Promise<Conclude> {
    try {
      return await this.backlog.enter(requests, callerName(access));
    } catch (error) {
      if (error instanceof ServiceError) this.metrics.recordRefused(error.code, requests.length);
      throw error;
    }
  }

  private store(
    checked: readonly (NewOperation | ServiceError)[],
    order: unknown,
    place: PipelinePlace | undefined,
  ): Promise<Answer[]> {
    const ordered = checked.filter((each) => !isOwnRefusal(each));
    const items = ordered.map((each) => {
      return { checked: each, bytes: isAccepted(each) ? Buffer.byteLength(each.row) : 0, place };
    });
    if (this.group.hasRoomFor(items)) return this.group.submit(items, order);
    const error = overloaded('has more waiting operations than it can store at once');
    this.metrics.recordRefused(error.code, checked.length);
    throw error;
  }

  /** Stores one group of operations. Never rejects: each of its callers gets a fault as the answer. */
  private async flush(submissions: readonly CheckedSubmission[]): Promise<Answer[]> {
    const refusals = submissions.map(({ place, checked }) => {
      const refusal = place?.begin();
      // Nothing behind it in the pipeline may begin.
      if (refusal === undefined && isUnavailable(checked)) place?.fail(checked);
      return refusal;
    });
    const begun = submissions.filter((_, index) => refusals[index] === undefined);
    if (begun.length === submissions.length) return this.storeGroup(submissions);
    const answers = begun.length === 0 ? [] : await this.storeGroup(begun);
    let next = 0;
    return refusals.map((refusal) => refusal ?? answers[next++]!);
  }

  private async storeGroup(submissions: readonly CheckedSubmission[]): Promise<Answer[]> {
    const answers = await this.tryToStore(submissions.map(({ checked }) => checked));
    // Before the next group begins: nothing of the same order may overtake a request that will be sent again.
    answers.forEach((answer, index) => isUnavailable(answer) && submissions[index]!.place?.fail(answer));
    return answers;
  }

  private async tryToStore(checked: readonly (NewOperation | ServiceError)[]): Promise<Answer[]> {
    const startedAt = performance.now();
    try {
      const accepted = checked.filter(isAccepted);
      const results = await traceStore(accepted, () => this.enqueue(accepted));
      let next = 0;
      const answers = checked.map((each) => (isAccepted(each) ? toAnswer(each.id, results[next++]!) : each));
      this.concludeFlush(answers, startedAt);
      return answers;
    } catch (error) {
      this.logger.error({ message: 'Operations could not be stored', operations: checked.length }, error);
      const isBug = this.bugs.report('intake', error);
      return checked.map((each) => (isAccepted(each) ? failureOf(each.id, error, isBug) : each));
    }
  }

  /**
   * If PostgreSQL cannot store an operation for an unforeseen reason, halving finds this operation. It is refused only
   * if an operation can cause such an error, and if it fails alone twice while storing nothing succeeds.
   */
  private async enqueue(operations: readonly NewOperation[]): Promise<(EnqueueResult | ServiceError)[]> {
    if (operations.length === 0) return [];
    let unknownFailures = 0;
    const blame = (error: unknown): Blame => {
      const kind = classifyFailure(error);
      // Usually no operation is the cause. To isolate many of them would then be in vain.
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
    throw new ServiceError('INVALID_REQUEST', `The request has no field ${quoteForMessage(unknown)}, only operations`, {
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

function toAnswer(id: string, result: EnqueueResult | ServiceError): Answer {
  if (result instanceof ServiceError) return result;
  if (result.outcome === 'conflict') {
    return new ServiceError(
      'IDEMPOTENCY_CONFLICT',
      `The id ${id} belongs to an operation with another body: use a new id, or repeat the first request as it was`,
      { id },
    );
  }
  if (result.outcome === 'busy')
    return laneBusy(`The table of operation ${id} has no lane yet, or is being moved to another one`);
  if (result.outcome === 'drained') return drained(result.by);
  return { id, status: result.status, created: result.outcome === 'created' };
}

function toEntry(answer: Answer): ICreateBatchOperationEntry {
  return answer instanceof ServiceError ? { error: answer.toAnswer() } : answer;
}

function isCreated(answer: Answer): boolean {
  return !(answer instanceof ServiceError) && answer.created;
}

/** A refusal that concerns the operation itself waits for no turn, and takes no room among those that wait. */
const isOwnRefusal = (checked: NewOperation | ServiceError): checked is ServiceError =>
  !isAccepted(checked) && !isUnavailable(checked);

/** True when the reason says nothing about the operation. */
function isUnavailable(answer: unknown): answer is ServiceError {
  return answer instanceof ServiceError && UNAVAILABLE.includes(answer.code);
}
