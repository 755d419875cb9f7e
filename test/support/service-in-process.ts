import { Writable } from 'node:stream';
import { expect } from 'vitest';
import { beginService, type RunningService } from '../../src/bootstrap/start-service.js';
import { StartError } from '../../src/bootstrap/start-error.js';
import { loadSettings } from '../../src/services/config/load-settings.js';
import { createLogger } from '../../src/services/observability/logger.js';
import { eventually } from './eventually.js';
import type { TestEnvironment } from './test-settings.js';

/** The service in the process of the test: for what a start says and decides. Signals and exit codes need a process of its own. */
export interface ServiceInProcess {
  /** What it has logged so far, and the reason when it could not start, as a process writes it. */
  readonly output: string;
  /** Resolves when a line that matches is written. */
  said(pattern: RegExp): Promise<void>;
  /** Resolves when it serves. Rejects with the reason when it cannot. */
  readonly up: Promise<RunningService>;
  /** The sentence that `main` and `migrate` end with, for a start that its surroundings refuse. Fails when it starts. */
  refused(): Promise<string>;
  /** For the clean-up: stops it if it runs, and waits. */
  end(): Promise<void>;
}

/** Starts the service as `main` does. Nothing of the developer's own environment is seen. */
export function startServiceInProcess(environment: TestEnvironment): ServiceInProcess {
  let output = '';
  const settings = loadSettings({ LOG_LEVEL: 'info', ...environment });
  const written = new Writable({
    decodeStrings: false,
    write(text: string, _encoding, done) {
      output += text;
      done();
    },
  });
  const logger = createLogger(settings, written);
  const starting = beginService(settings, logger);
  const settled = starting.up.then(
    (service) => ({ service, error: undefined }),
    (error: unknown) => {
      output += `${String(error)}\n`;
      return { service: undefined, error };
    },
  );
  return {
    get output() {
      return output;
    },
    said: (pattern) => eventually(() => expect(output).toMatch(pattern), { timeoutMs: 30_000 }),
    up: starting.up,
    async refused() {
      const { error } = await settled;
      // Any other error would be told with its stack.
      expect(error, output).toBeInstanceOf(StartError);
      return (error as StartError).message;
    },
    async end() {
      starting.stopWaiting();
      await (await settled).service?.close();
    },
  };
}
