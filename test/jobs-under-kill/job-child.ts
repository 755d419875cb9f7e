import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { JobOrder, JobReport } from './job-process.js';
import { PHASES, type Phase } from './kill-point.js';

/** How a process has ended: by itself, with the status of its execution, or by a kill. */
export type JobEnd = { killed: false; status: string } | { killed: true; phase: Phase };

/** Processes for jobs. The next one is started ahead, since starting takes longer than what it does until it is killed. */
export class JobChildren {
  private spare: Started | undefined;

  /** @param program compiled, see `buildProcess` */
  constructor(private readonly program: string) {
    this.spare = start(program);
  }

  async run(order: JobOrder): Promise<JobEnd> {
    const child = this.spare ?? start(this.program);
    this.spare = start(this.program);
    await child.ready;
    return child.carryOut(order);
  }

  async close(): Promise<void> {
    const { spare } = this;
    this.spare = undefined;
    spare?.kill();
    await spare?.exited;
  }
}

interface Started {
  ready: Promise<unknown>;
  exited: Promise<unknown>;
  kill(): void;
  carryOut(order: JobOrder): Promise<JobEnd>;
}

function start(program: string): Started {
  const child = fork(program, { execArgv: ['--enable-source-maps'], stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
  let written = '';
  child.stderr!.on('data', (text: Buffer) => (written += text.toString()));
  const exited = once(child, 'exit');
  const ready = Promise.race([
    saying(child, 'ready'),
    exited.then(() => Promise.reject(new Error(`A process did not start:\n${written}`))),
  ]);
  // Of a spare one that is not needed.
  ready.catch(() => undefined);
  return {
    ready,
    exited,
    kill: () => void child.kill('SIGKILL'),
    async carryOut(order) {
      const { point } = order;
      let status: string | undefined;
      void saying(child, 'ended').then((said) => (status = said.status));
      if (point !== undefined && 'delayMs' in point) {
        void saying(child, 'running').then(() => setTimeout(() => child.kill('SIGKILL'), point.delayMs));
      }
      child.send(order);
      const [, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
      if (status !== undefined) return { killed: false, status };
      if (signal !== 'SIGKILL') throw new Error(`A process ended before its job:\n${written}`);
      return { killed: true, phase: PHASES[Number(await readFile(order.phaseFile, 'utf8'))]! };
    },
  };
}

/** Never rejects: what does not come is seen at the end of the process. */
function saying<Is extends JobReport['is']>(child: ChildProcess, is: Is): Promise<Extract<JobReport, { is: Is }>> {
  return new Promise((resolve) => {
    child.on('message', (said: JobReport) => {
      if (said.is === is) resolve(said as Extract<JobReport, { is: Is }>);
    });
  });
}
