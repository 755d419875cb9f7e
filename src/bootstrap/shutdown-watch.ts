import type { INestApplicationContext } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';

const HOOKS = ['onModuleDestroy', 'beforeApplicationShutdown', 'onApplicationShutdown'] as const;

type Hook = (...args: unknown[]) => unknown;

/** Knows which shutdown hooks of an application are running, so that a hook that hangs can be named. */
export class ShutdownWatch {
  private readonly running = new Set<string>();

  constructor(app: INestApplicationContext) {
    for (const module of app.get(ModulesContainer).values()) {
      for (const { instance } of [...module.providers.values(), ...module.controllers.values()]) {
        if (typeof instance === 'object' && instance !== null) this.watch(instance as Record<string, unknown>);
      }
    }
  }

  /** For example `PollerService.onModuleDestroy`. */
  get pending(): string[] {
    return [...this.running];
  }

  private watch(instance: Record<string, unknown>): void {
    for (const name of HOOKS) {
      const hook = instance[name];
      if (typeof hook !== 'function') continue;
      instance[name] = (...args: unknown[]) =>
        this.track(`${instance.constructor.name}.${name}`, () => (hook as Hook).apply(instance, args));
    }
  }

  private async track(label: string, work: () => unknown): Promise<void> {
    this.running.add(label);
    try {
      await work();
    } finally {
      this.running.delete(label);
    }
  }
}
