import { Injectable, SetMetadata, applyDecorators } from '@nestjs/common';
import type { CommonListener, ListenerScope } from '../operator/common-listeners.js';

export type ListenerEvent = keyof CommonListener<unknown>;

/** A method of a provider that is a listener. */
export interface ListenerMethod {
  event: ListenerEvent;
  method: string | symbol;
  scope: ListenerScope;
}

export const BATCH_LISTENER = 'batch-service:listener';
export const BATCH_LISTENER_METHODS = 'batch-service:listener-methods';

/**
 * Makes a provider a listener: its methods with the names of `JobListener`, `StepListener`, `StepChunkListener` and `ItemListener` are
 * called for every job and step, or for those that `scope` names.
 */
export function BatchListener(scope: ListenerScope = {}): ClassDecorator {
  return applyDecorators(Injectable(), SetMetadata(BATCH_LISTENER, scope));
}

/** Makes a method of a provider a listener. It gets what the method of this name in the interfaces gets. */
const on =
  (event: ListenerEvent) =>
  (scope: ListenerScope = {}): MethodDecorator =>
  (prototype, method) => {
    const before = (Reflect.getMetadata(BATCH_LISTENER_METHODS, prototype) ?? []) as ListenerMethod[];
    Reflect.defineMetadata(BATCH_LISTENER_METHODS, [...before, { event, method, scope }], prototype);
  };

export const BeforeJob = on('beforeJob');
export const AfterJob = on('afterJob');
export const BeforeStep = on('beforeStep');
export const AfterStep = on('afterStep');
export const BeforeChunk = on('beforeChunk');
export const AfterChunk = on('afterChunk');
export const OnChunkError = on('onChunkError');
export const OnChunkRetry = on('onChunkRetry');
export const BeforeRead = on('beforeRead');
export const AfterRead = on('afterRead');
export const OnReadError = on('onReadError');
export const BeforeProcess = on('beforeProcess');
export const AfterProcess = on('afterProcess');
export const OnProcessError = on('onProcessError');
export const BeforeWrite = on('beforeWrite');
export const AfterWrite = on('afterWrite');
export const OnWriteError = on('onWriteError');
export const OnSkipInRead = on('onSkipInRead');
export const OnSkipInProcess = on('onSkipInProcess');
export const OnSkipInWrite = on('onSkipInWrite');
