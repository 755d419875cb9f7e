import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

const STOP_TIMEOUT_MS = 40_000;
const LAST_LINES = 20;

/** A process that this program has started. Its lines are read one by one. */
export class Program {
  private readonly lastLines: string[] = [];
  private readonly child: ChildProcess;
  private readonly ended: Promise<number | string>;

  /**
   * @param environment all that it sees, beside PATH
   * @param onLine gets each line that it writes
   */
  constructor(
    readonly name: string,
    command: readonly string[],
    environment: Readonly<Record<string, string>> = {},
    private readonly onLine: (line: string) => void = () => undefined,
  ) {
    const [file, ...args] = command;
    this.child = spawn(file!, args, {
      env: { PATH: process.env.PATH, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    // Nothing outlives this program, however it ends.
    const kill = (): void => void this.child.kill('SIGKILL');
    process.once('exit', kill);
    this.ended = once(this.child, 'close').then(([code, signal]) => {
      process.off('exit', kill);
      return (code ?? signal) as number | string;
    });
    for (const stream of [this.child.stdout!, this.child.stderr!]) {
      createInterface(stream).on('line', (line) => this.read(line));
    }
  }

  /** @throws with its last lines when it ends before `attempt` succeeds, or when it does not succeed in time */
  async ready(attempt: () => Promise<unknown>, timeoutMs = 30_000): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      try {
        await attempt();
        return;
      } catch (cause) {
        const running = this.child.exitCode === null && this.child.signalCode === null;
        if (!running || performance.now() > deadline) {
          const state = running ? 'is not ready' : 'has ended';
          throw new Error(`${this.name} ${state}. Its last lines:\n${this.lastLines.join('\n')}`, { cause });
        }
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }

  /** Resolves when the process is gone. */
  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.ended;
  }

  /** Asks it to stop. @throws if it does not stop in order: with 0, or with the signal, which NestJS sends again when all is closed */
  async stop(): Promise<void> {
    this.child.kill('SIGTERM');
    const timer = setTimeout(() => this.child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    const status = await this.ended;
    clearTimeout(timer);
    if (status !== 0 && status !== 'SIGTERM')
      throw new Error(`${this.name} ended with ${status}. Its last lines:\n${this.lastLines.join('\n')}`);
  }

  private read(line: string): void {
    this.lastLines.push(line);
    if (this.lastLines.length > LAST_LINES) this.lastLines.shift();
    this.onLine(line);
  }
}
