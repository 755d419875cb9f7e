import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/** A process that this program has started. */
export class Program {
  /** Resolves when it has ended, however. */
  readonly ended: Promise<unknown>;
  private readonly child: ChildProcess;
  private output = '';

  /**
   * @param file of JavaScript
   * @param environment all that it sees, beside PATH
   */
  constructor(file: string, environment: Readonly<Record<string, string>>) {
    this.child = spawn(process.execPath, ['--enable-source-maps', file], {
      env: { PATH: process.env.PATH, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.child.stdout!, this.child.stderr!]) {
      stream.on('data', (text: Buffer) => (this.output = (this.output + text.toString()).slice(-4000)));
    }
    // Nothing outlives this program, however it ends.
    const kill = (): void => void this.child.kill('SIGKILL');
    process.once('exit', kill);
    this.ended = once(this.child, 'close').finally(() => process.off('exit', kill));
  }

  get pid(): number {
    return this.child.pid!;
  }

  get running(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** The end of what it wrote. */
  get lastWords(): string {
    return this.output;
  }

  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.ended;
  }
}
