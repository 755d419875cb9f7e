import type { BackOff } from '../../interfaces/back-off.js';
import type { Awaitable } from '../awaitable.js';
import type { CompletionPolicy } from '../chunk/completion-policy.js';
import { isOneOf, type ErrorMatcher } from '../chunk/error-classes.js';
import type { Scan } from '../chunk/item-chunk-handler.js';
import type { ItemContext, ItemProcessor, ItemReader, ItemStream, ItemWriter } from '../chunk/item.js';
import { NO_BACK_OFF, retryByClass, type RetryPolicy } from '../chunk/retry-policy.js';
import { skipByClass, type SkipPolicy } from '../chunk/skip-policy.js';
import { compositeProcessor } from '../processors/composite-processor.js';
import { InvalidJobDefinitionError } from '../model/batch-error.js';
import { ChunkOrientedStep, type ChunkOrientedStepDefinition, type LateBound } from './chunk-oriented-step.js';
import { JobStep, type JobStepParameters } from './job-step.js';
import { PartitionedStep, type PartitionedStepDefinition } from './partitioned-step.js';
import type { Step } from './step.js';
import type { ChunkStepListener, StepListener } from './step-listener.js';
import { TaskletStep, type Tasklet } from './tasklet-step.js';

/** Says first what kind of step it is. */
export class StepBuilder<Tx> {
  constructor(private readonly name: string) {}

  /** Items in chunks of this size, each chunk in one transaction. */
  chunk(size: number): ReaderBuilder<Tx> {
    if (!Number.isSafeInteger(size) || size < 1) {
      throw new InvalidJobDefinitionError(
        `The chunk size of step "${this.name}" must be a whole number from 1, and is ${size}`,
      );
    }
    return new ReaderBuilder(this.name, size);
  }

  tasklet(tasklet: Tasklet<Tx>): PlainStepBuilder<Tx> {
    return new PlainStepBuilder((options) => new TaskletStep({ name: this.name, tasklet, ...options }));
  }

  /** Runs the job of this name, with the parameters of this job unless `parameters` says others. */
  job(job: string, parameters?: JobStepParameters): PlainStepBuilder<Tx> {
    return new PlainStepBuilder((options) => new JobStep({ name: this.name, job, parameters, ...options }));
  }

  /** Runs a step once for each partition. */
  partitioned(definition: Omit<PartitionedStepDefinition<Tx>, 'name'>): PlainStepBuilder<Tx> {
    return new PlainStepBuilder((options) => new PartitionedStep({ name: this.name, ...definition, ...options }));
  }
}

interface CommonOptions {
  startLimit?: number;
  allowStartIfComplete?: boolean;
}

export class PlainStepBuilder<Tx> {
  private readonly options: CommonOptions = {};
  private readonly listeners: StepListener[] = [];

  constructor(private readonly make: (options: CommonOptions & { listeners: StepListener[] }) => Step<Tx>) {}

  startLimit(limit: number): this {
    this.options.startLimit = limit;
    return this;
  }

  allowStartIfComplete(): this {
    this.options.allowStartIfComplete = true;
    return this;
  }

  listener(listener: StepListener): this {
    this.listeners.push(listener);
    return this;
  }

  build(): Step<Tx> {
    return this.make({ ...this.options, listeners: this.listeners });
  }
}

export class ReaderBuilder<Tx> {
  constructor(
    private readonly name: string,
    private readonly chunkSize: number,
  ) {}

  /** A reader, or a function that makes it when the step begins. */
  reader<I>(reader: LateBound<ItemReader<I, Tx>>): ChunkStepBuilder<I, I, Tx> {
    const asItIs: ItemProcessor<I, I, Tx> = { process: (item) => item };
    return new ChunkStepBuilder({ name: this.name, chunkSize: this.chunkSize, reader, processor: asItIs });
  }
}

type WithoutWriter<I, O, Tx> = Omit<ChunkOrientedStepDefinition<I, O, Tx>, 'writer' | 'listeners' | 'streams'>;

export class ChunkStepBuilder<I, O, Tx> {
  private processed = false;
  private output: LateBound<ItemWriter<O, unknown, Tx>> | undefined;
  private tolerance: FaultTolerance | undefined;
  private readonly listeners: ChunkStepListener<I, O, Tx>[] = [];
  private readonly streams: ItemStream[] = [];

  constructor(private readonly definition: WithoutWriter<I, O, Tx>) {}

  /** A processor, or a function that makes it when the step begins. Several work one after the other. */
  processor<P>(processor: LateBound<ItemProcessor<O, P, Tx>>): ChunkStepBuilder<I, P, Tx> {
    const before = this.definition.processor;
    const next = new ChunkStepBuilder<I, P, Tx>({
      ...this.definition,
      processor: this.processed
        ? chained(before, processor)
        : (processor as unknown as LateBound<ItemProcessor<I, P, Tx>>),
    });
    next.processed = true;
    return next;
  }

  /** A function of an item: the item to write, or null to leave it out. */
  process<P>(process: (item: O, context: ItemContext<Tx>) => Awaitable<P | null>): ChunkStepBuilder<I, P, Tx> {
    return this.processor({ process });
  }

  /** A writer, or a function that makes it when the step begins. */
  writer(writer: LateBound<ItemWriter<O, unknown, Tx>>): this {
    this.output = writer;
    return this;
  }

  /** When a chunk is complete before it has as many items as its size. */
  completionPolicy(policy: CompletionPolicy<I>): this {
    this.definition.completionPolicy = policy;
    return this;
  }

  /** How many items are processed at the same time. */
  concurrency(processors: number): this {
    this.definition.concurrency = processors;
    return this;
  }

  faultTolerant(): this {
    this.tolerance ??= {
      retry: [],
      retryLimit: 3,
      backOff: NO_BACK_OFF,
      skip: [],
      skipLimit: 10,
      noRetry: [],
      noSkip: [],
    };
    return this;
  }

  /** Errors that are tried again, also as the cause of another error. */
  retry(...errors: ErrorMatcher[]): this {
    this.tolerant('retry').retry.push(...errors);
    return this;
  }

  noRetry(...errors: ErrorMatcher[]): this {
    this.tolerant('noRetry').noRetry.push(...errors);
    return this;
  }

  /** Attempts after the first one. Default: 3. */
  retryLimit(limit: number): this {
    this.tolerant('retryLimit').retryLimit = limit;
    return this;
  }

  backOff(backOff: BackOff): this {
    this.tolerant('backOff').backOff = backOff;
    return this;
  }

  retryPolicy(policy: RetryPolicy): this {
    this.tolerant('retryPolicy').retryPolicy = policy;
    return this;
  }

  /** Errors for which an item is left out, also as the cause of another error. */
  skip(...errors: ErrorMatcher[]): this {
    this.tolerant('skip').skip.push(...errors);
    return this;
  }

  noSkip(...errors: ErrorMatcher[]): this {
    this.tolerant('noSkip').noSkip.push(...errors);
    return this;
  }

  /** Of one execution of the step: read, processed and written items together. Default: 10. */
  skipLimit(limit: number): this {
    if (Number.isNaN(limit) || limit < 0) {
      throw new InvalidJobDefinitionError(
        `The skip limit of step "${this.definition.name}" must be 0 or more, and is ${limit}`,
      );
    }
    this.tolerant('skipLimit').skipLimit = limit;
    return this;
  }

  skipPolicy(policy: SkipPolicy): this {
    this.tolerant('skipPolicy').skipPolicy = policy;
    return this;
  }

  /** Errors of the writer after which the chunk is committed as it is. */
  noRollback(...errors: ErrorMatcher[]): this {
    this.tolerant('noRollback');
    this.definition.keepsTransaction = (error) => isOneOf(error, errors);
    return this;
  }

  /** How the bad items of a chunk are found: by halves (default), or one by one. */
  scan(scan: Scan): this {
    this.tolerant('scan');
    this.definition.scan = scan;
    return this;
  }

  listener(listener: ChunkStepListener<I, O, Tx>): this {
    this.listeners.push(listener);
    return this;
  }

  /** A part of the step that the engine does not see, such as the delegate of a writer. */
  stream(stream: ItemStream): this {
    this.streams.push(stream);
    return this;
  }

  startLimit(limit: number): this {
    this.definition.startLimit = limit;
    return this;
  }

  allowStartIfComplete(): this {
    this.definition.allowStartIfComplete = true;
    return this;
  }

  /** @throws InvalidJobDefinitionError */
  build(): Step<Tx> {
    const { definition, output: writer, tolerance, listeners, streams } = this;
    if (writer === undefined) throw new InvalidJobDefinitionError(`Step "${definition.name}" has no writer`);
    return new ChunkOrientedStep({
      ...definition,
      writer,
      ...(tolerance && toPolicies(tolerance)),
      listeners,
      streams,
    });
  }

  private tolerant(method: string): FaultTolerance {
    if (this.tolerance !== undefined) return this.tolerance;
    throw new InvalidJobDefinitionError(`Call faultTolerant() of step "${this.definition.name}" before ${method}()`);
  }
}

interface FaultTolerance {
  retry: ErrorMatcher[];
  noRetry: ErrorMatcher[];
  retryLimit: number;
  backOff: BackOff;
  retryPolicy?: RetryPolicy;
  skip: ErrorMatcher[];
  noSkip: ErrorMatcher[];
  skipLimit: number;
  skipPolicy?: SkipPolicy;
}

function toPolicies(tolerance: FaultTolerance): { retryPolicy?: RetryPolicy; skipPolicy?: SkipPolicy } {
  const { retry, noRetry, retryLimit, backOff, skip, noSkip, skipLimit } = tolerance;
  const retries = retryByClass(
    [
      ...noRetry.map((each): [ErrorMatcher, number] => [each, 0]),
      ...retry.map((each): [ErrorMatcher, number] => [each, retryLimit]),
    ],
    backOff,
  );
  const retryPolicy = tolerance.retryPolicy ?? (retry.length === 0 ? undefined : retries);
  const skipPolicy = tolerance.skipPolicy ?? (skip.length === 0 ? undefined : skipByClass(skipLimit, skip, noSkip));
  return { ...(retryPolicy && { retryPolicy }), ...(skipPolicy && { skipPolicy }) };
}

/** One processor after the other, as one that opens and closes both. */
function chained<I, O, P, Tx>(
  first: LateBound<ItemProcessor<I, O, Tx>>,
  second: LateBound<ItemProcessor<O, P, Tx>>,
): LateBound<ItemProcessor<I, P, Tx>> {
  return async (scope) =>
    compositeProcessor(
      typeof first === 'function' ? await first(scope) : first,
      typeof second === 'function' ? await second(scope) : second,
    );
}
