import { randomUUID } from 'node:crypto';
import type { SqlClient } from '../../interfaces/sql.js';
import type { TransactionManager } from '../chunk/transaction-manager.js';
import { stepsOf } from '../flow/steps-of.js';
import type { JobDefinition } from '../job/job-definition.js';
import { BatchError } from '../model/batch-error.js';
import type { JsonValue } from '../model/execution-context.js';
import type { JobExecution } from '../model/job-execution.js';
import { JobParameters, type JobParametersInput } from '../model/job-parameters.js';
import type { StepExecution } from '../model/step-execution.js';
import { openStore, type BatchModuleOptions, type BatchStore } from '../nest/batch-options.js';
import { BATCH_STORE } from '../nest/batch-tokens.js';
import { CommonListeners } from '../operator/common-listeners.js';
import { JobOperator } from '../operator/job-operator.js';
import { JobRegistry } from '../operator/job-registry.js';
import type { JobRepository, StoredSkip } from '../repository/job-repository.js';
import { StepRunner } from '../step/step-runner.js';
import type { Step } from '../step/step.js';
import { memoryStore } from './memory-store.js';

/** A job execution that has ended. */
export interface LaunchedJob {
  execution: JobExecution;
  /** In the order of their start. Steps that were complete before a restart are not among them. */
  steps: readonly StepExecution[];
  /** The first 1000. */
  skippedItems: readonly StoredSkip[];
}

export interface LaunchJobOptions {
  /** False: the job gets no parameter of its own that makes each launch a new instance. Default: true. */
  unique?: boolean;
}

export interface LaunchStepOptions {
  parameters?: JobParametersInput;
  /** The context of the job: what earlier steps would have left. */
  context?: Readonly<Record<string, JsonValue>>;
  /** The context of the step: what an earlier execution, or a partitioner, would have left. */
  stepContext?: Readonly<Record<string, JsonValue>>;
}

/** An application of Nest, or what `Test.createTestingModule` compiles, after its `init`. */
export interface Application {
  get<T>(token: unknown, options: { strict: false }): T;
}

interface TypedStore<Tx> {
  repository: JobRepository<Tx>;
  transactionManager: TransactionManager<Tx>;
}

/** Makes a launch a new instance of the job. */
const LAUNCH = 'test.launch';
/** Nobody renews leases in a test, which may be stopped in a debugger. */
const LEASE_MS = 3_600_000;
const MAX_SKIPPED_ITEMS = 1000;

/**
 * Launches a job, or one of its steps, in a test, and answers what became of it. It promises that each launch is a new instance of the
 * job, unless the test says otherwise, and that it can remove what it has stored. What the job does is up to its own parts: they are
 * neither replaced nor watched.
 */
export class BatchTestKit<Tx = SqlClient> {
  /** For what a test does beside launching, such as stopping and abandoning. */
  readonly operator: JobOperator<Tx>;
  readonly repository: JobRepository<Tx>;
  private readonly transactionManager: TransactionManager<Tx>;
  private readonly registry = new JobRegistry<Tx>();
  private readonly instances = new Set<string>();
  private prepared: Promise<void> | undefined;

  private constructor(
    private readonly job: JobDefinition<Tx>,
    jobs: readonly JobDefinition<Tx>[],
    private readonly store: BatchStore,
    private readonly listeners: CommonListeners<Tx>,
    options: Partial<BatchModuleOptions> = {},
  ) {
    // The caller says which transactions its jobs take: see `forJob`.
    const { repository, transactionManager } = store as unknown as TypedStore<Tx>;
    this.repository = repository;
    this.transactionManager = transactionManager;
    for (const each of jobs) this.registry.register(withLaunch(each));
    const { registry } = this;
    const { leaseMs = LEASE_MS, recoveryLimit, runsJobs, takesOver } = options;
    this.operator = new JobOperator({
      ...{ repository, transactionManager, registry, listeners, leaseMs, recoveryLimit, runsJobs, takesOver },
    });
  }

  /**
   * A kit for jobs that their test defines. The first one is launched. The others are those that its steps run.
   *
   * @param options where executions are kept and transactions begin, as `BatchModule.forRoot` takes it. Default: in memory
   */
  static forJob<Tx = SqlClient>(
    jobs: JobDefinition<Tx> | readonly [JobDefinition<Tx>, ...JobDefinition<Tx>[]],
    options: BatchModuleOptions = memoryStore(),
  ): BatchTestKit<Tx> {
    const all = isList(jobs) ? jobs : ([jobs] as const);
    return new BatchTestKit(all[0], all, openStore(options), new CommonListeners<Tx>(), options);
  }

  /**
   * A kit for a job of an application that has `BatchModule`, with the store and the listeners of that module.
   *
   * @throws NoSuchJobError
   */
  static forApplication(application: Application, jobName: string): BatchTestKit {
    const registry = application.get<JobRegistry<SqlClient>>(JobRegistry, { strict: false });
    const store = application.get<BatchStore>(BATCH_STORE, { strict: false });
    const listeners = application.get<CommonListeners<SqlClient>>(CommonListeners, { strict: false });
    const jobs = registry.names().map((name) => registry.get(name));
    return new BatchTestKit(registry.get(jobName), jobs, store, listeners);
  }

  /**
   * Starts the job and waits for its end. A job that fails is no error: see `execution.exitStatus.description`.
   *
   * @throws InvalidJobParametersError and the other refusals of `JobOperator.start`
   */
  async launchJob(parameters: JobParametersInput = {}, { unique = true }: LaunchJobOptions = {}): Promise<LaunchedJob> {
    await this.prepare();
    return this.ended(await this.operator.start(this.job.name, unique ? withUnique(parameters) : parameters));
  }

  /** Restarts an execution that has failed or was stopped, and waits for its end. */
  async restart({ id }: Pick<JobExecution, 'id'>): Promise<LaunchedJob> {
    await this.prepare();
    return this.ended(await this.operator.restart(id));
  }

  /**
   * Runs one step of the job alone, as the only one of a new job instance. Listeners of the job are not told.
   *
   * @throws BatchError NO_SUCH_STEP; InvalidJobParametersError
   */
  async launchStep(name: string, options: LaunchStepOptions = {}): Promise<StepExecution> {
    const { parameters = {}, context = {}, stepContext = {} } = options;
    const step = this.find(name);
    const read = JobParameters.read(this.job.name, withUnique(parameters), withLaunch(this.job).parameters);
    await this.prepare();
    const execution = await this.repository.createExecution({
      jobName: this.job.name,
      parameters: read,
      recoveries: 0,
      owner: this.operator.owner,
      leaseMs: LEASE_MS,
      decide: () => ({ context, restartAt: undefined }),
    });
    this.instances.add(execution.instance.id);
    execution.status = 'STARTED';
    execution.startedAt = new Date();
    await this.repository.saveJob(execution);
    const ended = await this.runAlone(step, execution, stepContext);
    execution.status = ended.status;
    execution.exitStatus = ended.exitStatus;
    execution.endedAt = new Date();
    await this.repository.saveJob(execution);
    return ended;
  }

  /** Removes the instances that this kit has launched, with their executions, steps and skipped items. Those that run stay. */
  async removeJobExecutions(): Promise<void> {
    await this.repository.deleteInstances([...this.instances]);
    this.instances.clear();
  }

  private prepare(): Promise<void> {
    this.prepared ??= this.store.prepare();
    return this.prepared;
  }

  private async ended({ id, instance }: JobExecution): Promise<LaunchedJob> {
    this.instances.add(instance.id);
    const execution = await this.operator.awaitEnd(id);
    const steps = await this.repository.stepExecutions(id);
    const skippedItems = await this.repository.skippedItems(id, { limit: MAX_SKIPPED_ITEMS });
    return { execution, steps, skippedItems };
  }

  private find(name: string): Step<Tx> {
    const steps = [...stepsOf(this.job.flow)];
    const step = steps.find((each) => each.name === name);
    if (step !== undefined) return step;
    const known = steps.map((each) => each.name).join(', ');
    throw new BatchError('NO_SUCH_STEP', `Job "${this.job.name}" has no step "${name}". It has: ${known}.`);
  }

  private runAlone(
    step: Step<Tx>,
    execution: JobExecution,
    stepContext: Readonly<Record<string, JsonValue>>,
  ): Promise<StepExecution> {
    const abort = new AbortController();
    const { repository, transactionManager, listeners, operator } = this;
    const runner = new StepRunner<Tx>({
      ...{ job: execution, repository, transactionManager, history: new Map() },
      signal: abort.signal,
      stop: () => abort.abort(),
      runJob: (name, parameters) => operator.run(name, parameters),
      commonListeners: (stepName) => listeners.ofStep(execution.jobName, stepName),
    });
    return runner.run(step, stepContext);
  }
}

const withUnique = (parameters: JobParametersInput): JobParametersInput => ({ ...parameters, [LAUNCH]: randomUUID() });

/** A job that declares its parameters need not declare that of the kit. */
function withLaunch<Tx>(job: JobDefinition<Tx>): JobDefinition<Tx> {
  if (job.parameters === undefined) return job;
  return { ...job, parameters: { ...job.parameters, [LAUNCH]: { type: 'string' } } };
}

const isList = <T>(value: T | readonly [T, ...T[]]): value is readonly [T, ...T[]] => Array.isArray(value);
