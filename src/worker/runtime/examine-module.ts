import type { DynamicModule, ForwardReference, Provider, Type } from '@nestjs/common';
import { PROPERTY_DEPS_METADATA, SELF_DECLARED_DEPS_METADATA } from '@nestjs/common/constants.js';
import { PartsModule } from '../../parts/nest/parts.module.js';
import { partFaults } from '../../parts/settings/part-settings.js';
import { instanceOfToken } from '../databases/inject-database.js';
import { unknownInstance } from '../databases/databases.js';
import { jobHandlerOf } from '../processor/job-handler.js';
import { JobProcessor } from '../processor/job-processor.js';

type Imported = Type | DynamicModule | Promise<DynamicModule> | ForwardReference<() => Type>;

interface Dependency {
  param?: unknown;
  type?: unknown;
}

/**
 * Faults of a worker's module that would show only later, or one at a time: databases that no configuration names, no
 * processor, two processors of one queue, variables of the parts that it imports.
 *
 * @param instances the names of DATABASE_CONFIG
 */
export async function examineModule(
  root: Type,
  instances: readonly string[],
  environment: NodeJS.ProcessEnv,
): Promise<string[]> {
  const modules = new Set<unknown>();
  const classes = [...(await classesOf(root, modules))];
  const importsParts = [...modules].some((each) => (each as Partial<DynamicModule>).module === PartsModule);
  return [
    ...(importsParts ? partFaults(environment) : []),
    ...databaseFaults(classes, instances),
    ...processorFaults(root, classes),
  ];
}

function databaseFaults(classes: readonly Type[], instances: readonly string[]): string[] {
  return classes.flatMap((type) =>
    [...new Set(tokensOf(type).flatMap((token) => instanceOfToken(token) ?? []))]
      .filter((name) => !instances.includes(name))
      .map((name) => `${type.name}: ${unknownInstance(name, instances)}`),
  );
}

function processorFaults(root: Type, classes: readonly Type[]): string[] {
  const byQueue = new Map<string, string[]>();
  for (const type of classes) {
    const handler = jobHandlerOf(type);
    if (handler === undefined) continue;
    if (!(type.prototype instanceof JobProcessor))
      return [`${type.name} has @JobHandler, but does not extend JobProcessor`];
    byQueue.set(handler.queue, [...(byQueue.get(handler.queue) ?? []), type.name]);
  }
  if (byQueue.size === 0) {
    return [`${root.name} has no processor: add a class that extends JobProcessor, with @JobHandler, to its providers`];
  }
  return [...byQueue]
    .filter(([, names]) => names.length > 1)
    .map(([queue, names]) => `Queue "${queue}" has ${names.length} processors, ${names.join(' and ')}; expected one`);
}

/** The classes that a module and its imports provide. */
async function classesOf(imported: Imported, seen: Set<unknown>): Promise<Set<Type>> {
  const given = await imported;
  if (given === undefined || seen.has(given)) return new Set();
  seen.add(given);
  if ('forwardRef' in given) return classesOf(given.forwardRef(), seen);
  const dynamic: Partial<DynamicModule> = 'module' in given ? given : {};
  const type = 'module' in given ? given.module : given;
  const found = new Set<Type>();
  for (const provider of [...metadata<Provider>('providers', type), ...(dynamic.providers ?? [])]) {
    const provided = typeof provider === 'object' && 'useClass' in provider ? provider.useClass : provider;
    if (typeof provided === 'function') found.add(provided);
  }
  for (const each of [...metadata<Imported>('imports', type), ...(dynamic.imports ?? [])]) {
    for (const inner of await classesOf(each, seen)) found.add(inner);
  }
  return found;
}

/** What a class asks Nest to inject by a token: parameters of its constructor, and properties. */
function tokensOf(type: Type): unknown[] {
  const parameters = (Reflect.getMetadata(SELF_DECLARED_DEPS_METADATA, type) ?? []) as Dependency[];
  const properties = (Reflect.getMetadata(PROPERTY_DEPS_METADATA, type) ?? []) as Dependency[];
  return [...parameters.map(({ param }) => param), ...properties.map((each) => each.type)];
}

const metadata = <T>(key: string, type: Type): T[] => (Reflect.getMetadata(key, type) ?? []) as T[];
