import { Injectable, type OnModuleInit } from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';
import type { SqlClient } from '../../interfaces/sql.js';
import { BatchBuilders } from '../job/batch-builders.js';
import type { JobDefinition } from '../job/job-definition.js';
import { InvalidJobDefinitionError } from '../model/batch-error.js';
import { CommonListeners, type CommonListener, type ListenerScope } from '../operator/common-listeners.js';
import { JobRegistry } from '../operator/job-registry.js';
import { BATCH_JOB, type BatchJobClass } from './batch-job.js';
import { BATCH_LISTENER, BATCH_LISTENER_METHODS, type ListenerMethod } from './batch-listeners.js';
import { JobScheduler } from './job-scheduler.js';
import { SCHEDULED_AT, SCHEDULED_JOB, type JobSchedule } from './scheduled-job.js';

/** Finds the jobs and listeners among the providers of all modules, when the application starts. */
@Injectable()
export class JobExplorer implements OnModuleInit {
  constructor(
    private readonly discovery: DiscoveryService,
    private readonly registry: JobRegistry<SqlClient>,
    private readonly listeners: CommonListeners<SqlClient>,
    private readonly scheduler: JobScheduler,
  ) {}

  /** @throws BatchError INVALID_JOB_DEFINITION, DUPLICATE_JOB */
  onModuleInit(): void {
    const seen = new Set<object>();
    for (const { instance, theClass, isDependencyTreeStatic } of this.providers()) {
      const metadata = metadataOf(theClass);
      if (metadata === undefined || seen.has(instance)) continue;
      seen.add(instance);
      if (!isDependencyTreeStatic) throw requestScoped(theClass.name);
      if (metadata.job !== undefined) this.addJob(instance as BatchJobClass, theClass, metadata);
      if (metadata.listener !== undefined) this.listeners.add(instance, metadata.listener);
      for (const { event, method, scope } of metadata.methods) this.listeners.add(call(instance, event, method), scope);
    }
  }

  /** A provider may be made by a factory: what counts is the class of what was made. */
  private *providers(): Generator<Found> {
    for (const wrapper of [...this.discovery.getProviders(), ...this.discovery.getControllers()]) {
      const instance = wrapper.instance as object | null | undefined;
      if (typeof instance !== 'object' || instance === null || typeof instance.constructor !== 'function') continue;
      const theClass = instance.constructor as NamedClass;
      yield { instance, theClass, isDependencyTreeStatic: wrapper.isDependencyTreeStatic() };
    }
  }

  private addJob(instance: BatchJobClass, { name: className }: NamedClass, { job, schedule }: Metadata): void {
    const built = instance.define(new BatchBuilders());
    if (job?.name !== undefined && job.name !== built.name) {
      throw new InvalidJobDefinitionError(
        `Class ${className} is declared as job "${job.name}", and its define() builds job "${built.name}". Give both one name.`,
      );
    }
    this.registry.register(schedule === undefined ? built : withFireTime(built));
    if (schedule !== undefined) this.scheduler.add(built.name, schedule);
  }
}

type NamedClass = (new (...args: never[]) => unknown) & { name: string };

interface Found {
  instance: object;
  theClass: NamedClass;
  isDependencyTreeStatic: boolean;
}

interface Metadata {
  job: { name?: string } | undefined;
  schedule: JobSchedule | undefined;
  listener: ListenerScope | undefined;
  methods: readonly ListenerMethod[];
}

/** Undefined for nearly every provider. */
function metadataOf(theClass: NamedClass): Metadata | undefined {
  const job = Reflect.getMetadata(BATCH_JOB, theClass) as Metadata['job'];
  const schedule = Reflect.getMetadata(SCHEDULED_JOB, theClass) as Metadata['schedule'];
  const listener = Reflect.getMetadata(BATCH_LISTENER, theClass) as Metadata['listener'];
  const prototype = theClass.prototype as object | undefined;
  const methods = prototype && (Reflect.getMetadata(BATCH_LISTENER_METHODS, prototype) as Metadata['methods']);
  if (schedule !== undefined && job === undefined) {
    throw new InvalidJobDefinitionError(`Class ${theClass.name} has @ScheduledJob and no @BatchJob. Give it both.`);
  }
  if (job === undefined && listener === undefined && methods === undefined) return undefined;
  return { job, schedule, listener, methods: methods ?? [] };
}

function call(instance: object, event: ListenerMethod['event'], method: string | symbol): CommonListener<SqlClient> {
  const listen = (...args: unknown[]): unknown => (Reflect.get(instance, method) as Listen).apply(instance, args);
  return Object.fromEntries([[event, listen]]);
}

type Listen = (...args: unknown[]) => unknown;

/** A job that declares its parameters need not declare this one. */
function withFireTime(job: JobDefinition): JobDefinition {
  if (job.parameters === undefined) return job;
  const fireTime = { type: 'date', description: 'The time of the schedule for which the job runs' } as const;
  return { ...job, parameters: { [SCHEDULED_AT]: fireTime, ...job.parameters } };
}

const requestScoped = (className: string): InvalidJobDefinitionError =>
  new InvalidJobDefinitionError(
    `Class ${className} is a batch job or listener, and has the scope REQUEST or TRANSIENT. ` +
      'Jobs run without a request: give it, and what it injects, the default scope.',
  );
