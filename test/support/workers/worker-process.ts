import { fork, type ChildProcess } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import type { WorkerReport } from './worker-program.js';

/** A process of `worker-program.ts`. */
export class WorkerProcess {
  /** Everything that it has written. */
  output = '';
  readonly exited: Promise<number | null>;
  private readonly reports = new EventEmitter();
  private readonly child: ChildProcess;

  constructor(program: string, environment: NodeJS.ProcessEnv) {
    const { PATH } = process.env;
    this.child = fork(program, { env: { PATH, ...environment }, silent: true });
    for (const stream of [this.child.stdout!, this.child.stderr!]) {
      stream.on('data', (bytes: Buffer) => {
        this.output += bytes.toString();
        this.reports.emit('output');
      });
    }
    this.child.on('message', ({ is, target }: WorkerReport) => this.reports.emit(is, target));
    this.exited = once(this.child, 'close').then(([code]) => {
      this.reports.emit('output');
      return code as number | null;
    });
  }

  /** @returns the target of the next job of which this is reported */
  async next(report: WorkerReport['is']): Promise<string> {
    const [target] = (await Promise.race([
      once(this.reports, report),
      this.exited.then((code) => {
        throw new Error(`The worker has ended with ${code}:\n${this.output}`);
      }),
    ])) as [string];
    return target;
  }

  /** The lines of its log. @throws for a line that is no JSON */
  get log(): Record<string, unknown>[] {
    const lines = this.output.split('\n').filter((line) => line !== '');
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  /** Resolves when it has logged a line with this message. */
  async logged(message: string): Promise<void> {
    while (!this.output.includes(`"msg":"${message}"`)) await once(this.reports, 'output');
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.exited;
  }
}
