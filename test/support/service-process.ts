import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NODE_FLAGS } from './node-flags.js';
import { observeProcess, type ObservedProcess } from './observed-process.js';
import type { TestEnvironment } from './test-settings.js';

const ROOT = join(import.meta.dirname, '../..');
const UP = 'Batch Service is up';

/** Variables that are read by OpenTelemetry's SDK or by Node, and not by the service. */
export type OtelEnvironment = Partial<Record<`OTEL_${string}` | 'NODE_V8_COVERAGE', string>>;

export interface ServiceProcessOptions {
  /** All that it sees, but PATH and HOME: nothing of the developer's own environment. */
  environment: TestEnvironment;
  otel?: OtelEnvironment;
  /** Default: `main`. */
  program?:
    | 'main'
    | 'migrate'
    | 'keys'
    | 'parked-messages'
    | 'notifications'
    | 'operations'
    | 'pauses'
    | 'alerts'
    | 'job'
    | 'sql';
  args?: readonly string[];
  /** The compiled service; default: `dist`, see `buildService`. */
  dist?: string;
  /** Of Node itself. */
  nodeOptions?: readonly string[];
  /** Default: a folder without a file `.env`. */
  cwd?: string;
  /** A file that is open for writing; default: a pipe to this process. */
  stdout?: number;
  /** Who it runs as; only root may ask for another. */
  account?: { uid: number; gid: number; home: string };
  /** In a group of its own, so that Ctrl-C at the terminal does not reach it. */
  detached?: boolean;
}

/** The service as a process of its own, the way `npm start` runs it. */
export interface ServiceProcess extends ObservedProcess {
  /** Resolves when it serves. */
  up(): Promise<void>;
}

export async function startServiceProcess(options: ServiceProcessOptions): Promise<ServiceProcess> {
  const { environment, program = 'main', dist = join(ROOT, 'dist'), args = [], nodeOptions = [] } = options;
  const { otel, cwd = tmpdir(), stdout = 'pipe', account, detached = false } = options;
  const telemetry = program === 'main' ? ['--import', join(dist, 'telemetry.js')] : [];
  const flags = [...NODE_FLAGS, ...telemetry, ...nodeOptions];
  const child = spawn(process.execPath, [...flags, join(dist, `${program}.js`), ...args], {
    cwd,
    env: { PATH: process.env.PATH, HOME: account?.home ?? process.env.HOME, ...otel, ...environment },
    ...(account && { uid: account.uid, gid: account.gid }),
    detached,
    stdio: ['ignore', stdout, 'pipe'],
  });
  const observed = observeProcess(child);
  // Assigned, not spread: `output` is read anew each time.
  return Object.assign(observed, { up: () => observed.said(UP) });
}
