import { setTimeout as delay } from 'node:timers/promises';
import { startServiceProcess, type ServiceProcess, type ServiceProcessOptions } from '../../support/service-process.js';
import type { Timeline } from '../timeline.js';

export type Role = 'api' | 'worker';

/** A process that ended though nobody killed it. */
export interface Crash {
  member: string;
  exit: number | NodeJS.Signals;
  output: string;
}

export interface MemberOptions {
  name: string;
  role: Role;
  process: ServiceProcessOptions;
  timeline: Timeline;
  /** Milliseconds before it is started again. */
  restartAfterMs: () => number;
}

const OUTPUT_TAIL = 4000;
/** What a process logs of its messages and of their connection. */
const OF_MESSAGES = /\[(RPC|RabbitMQ rpc)\]/;

/** One place in the fleet: a process of the service, and after its end the next one. */
export class Member {
  readonly crashes: Crash[] = [];
  /** What its processes logged of messages, and when each of them ended. Every line begins with a time. */
  readonly history: string[] = [];
  /** Starts that the process gave up by itself, as it does while the database is away. */
  abandonedStarts = 0;
  private readonly closing = new AbortController();
  private current: { process: ServiceProcess; up: boolean; killed: boolean } | undefined;
  private running: Promise<void> | undefined;
  private wasKilled = false;

  constructor(private readonly options: MemberOptions) {}

  get name(): string {
    return this.options.name;
  }

  get role(): Role {
    return this.options.role;
  }

  /** It runs, up or not, and nobody has killed it yet. */
  get alive(): boolean {
    return this.current?.killed === false;
  }

  get up(): boolean {
    return this.current?.up === true;
  }

  start(): void {
    this.running ??= this.run();
  }

  /** `kill -9`, whatever it does at the moment. It comes again. */
  kill(): void {
    if (this.current === undefined) return;
    this.current.killed = true;
    this.current.process.signal('SIGKILL');
  }

  /** Stops the process where it stands, connections open, and lets it go on later. */
  async pause(ms: number): Promise<void> {
    const paused = this.current;
    if (paused === undefined) return;
    paused.process.signal('SIGSTOP');
    const wasUp = paused.up;
    if (wasUp) this.options.timeline.down(this.name);
    await delay(ms, undefined, { signal: this.closing.signal }).catch(() => undefined);
    paused.process.signal('SIGCONT');
    if (wasUp && this.current === paused) this.options.timeline.up(this.name);
  }

  /** Ends it for good. */
  async close(): Promise<void> {
    this.closing.abort();
    this.kill();
    await this.running;
  }

  private async run(): Promise<void> {
    while (!this.closing.signal.aborted) {
      await this.live();
      await delay(this.options.restartAfterMs(), undefined, { signal: this.closing.signal }).catch(() => undefined);
    }
  }

  private async live(): Promise<void> {
    const service = await startServiceProcess(this.options.process);
    const life = { process: service, up: false, killed: false };
    this.current = life;
    // Asked to close while it was being started.
    if (this.closing.signal.aborted) this.kill();
    await service.up().then(
      () => this.cameUp(life),
      () => undefined,
    );
    const exit = await service.exited;
    this.history.push(...service.output.split('\n').filter((line) => OF_MESSAGES.test(line)));
    this.history.push(`[${new Date().toISOString().slice(11, 23)}] ended with ${exit}`);
    this.current = undefined;
    if (life.up) this.options.timeline.down(this.name);
    this.wasKilled ||= life.killed;
    if (life.killed) return;
    if (life.up) this.crashes.push({ member: this.name, exit, output: service.output.slice(-OUTPUT_TAIL) });
    else this.abandonedStarts += 1;
  }

  private cameUp(life: { up: boolean }): void {
    life.up = true;
    this.options.timeline.up(this.name, this.wasKilled ? `${this.role} killed` : undefined);
    this.wasKilled = false;
  }
}
