import { ConfigurableModuleBuilder, Inject, Module, type Provider } from '@nestjs/common';
import { BatchServiceClient } from './batch-service.client.js';
import type { BatchServiceClientOptions } from './client-options.js';

export interface BatchServiceClientModuleExtras {
  /** Makes the client injectable in every module of the application. Default: false. */
  isGlobal?: boolean;
  /** For several clients in one module: inject each with `@InjectBatchServiceClient(name)`. */
  name?: string;
}

/**
 * The injection token of the client with this name. Without a name: that of the client which is injected by its class.
 */
export function batchServiceClientToken(name?: string): string | typeof BatchServiceClient {
  return name === undefined ? BatchServiceClient : `BatchServiceClient:${name}`;
}

export const InjectBatchServiceClient = (name?: string): ParameterDecorator & PropertyDecorator =>
  Inject(batchServiceClientToken(name));

const CLIENT_OPTIONS = Symbol('BATCH_SERVICE_CLIENT_OPTIONS');

const { ConfigurableModuleClass } = new ConfigurableModuleBuilder<BatchServiceClientOptions>({
  optionsInjectionToken: CLIENT_OPTIONS,
})
  .setExtras<BatchServiceClientModuleExtras>({ isGlobal: false, name: undefined }, (definition, extras) => {
    const token = batchServiceClientToken(extras.name);
    const client: Provider = {
      provide: token,
      useFactory: (options: BatchServiceClientOptions) => new BatchServiceClient(options),
      inject: [CLIENT_OPTIONS],
    };
    return {
      ...definition,
      global: extras.isGlobal ?? false,
      providers: [...(definition.providers ?? []), client],
      exports: [token],
    };
  })
  .build();

/**
 * Provides `BatchServiceClient`, with `register(options)` or `registerAsync({ imports, inject, useFactory })`. The
 * client is closed with the application.
 */
@Module({})
export class BatchServiceClientModule extends ConfigurableModuleClass {}
