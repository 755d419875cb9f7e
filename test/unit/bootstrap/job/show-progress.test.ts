import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { StepExecution } from '../../../../src/batch/model/step-execution.js';
import { showProgress } from '../../../../src/bootstrap/job/show-progress.js';

/** Keeps what was written to it. */
class Screen extends Writable {
  text = '';

  constructor(readonly isTTY: boolean) {
    super();
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }

  // What a terminal of node:tty has, as far as a bar uses it.
  cursorTo(): void {}
  clearLine(): void {}
  moveCursor(): void {}
}

function step(readCount: number, progress?: number, name = 'load'): StepExecution {
  const execution = new StepExecution('1', '1', name);
  execution.readCount = readCount;
  execution.writeCount = readCount;
  execution.progress = progress;
  return execution;
}

/** What is shown of samples, each with its time in milliseconds. */
function shown(isTTY: boolean, ...samples: [at: number, step: StepExecution][]): string {
  const screen = new Screen(isTTY);
  const progress = showProgress(screen as unknown as NodeJS.WriteStream);
  for (const [at, execution] of samples) progress.show([execution], at);
  const { text } = screen;
  progress.end();
  return text;
}

describe('the progress of a job', () => {
  it('is written as a line from time to time where there is no terminal, with percent and the remaining time', () => {
    expect(shown(false, [0, step(0, 0)], [1000, step(1000, 0.1)], [5000, step(5000, 0.25)])).toBe(
      'load: 25 %, 15s left, 5 000 read, 5 000 written, 0 skipped, 1 000 rows/s\n',
    );
  });

  it('has neither percent nor remaining time where the step cannot tell', () => {
    expect(shown(false, [0, step(0)], [5000, step(5000)])).toBe(
      'load: 5 000 read, 5 000 written, 0 skipped, 1 000 rows/s\n',
    );
  });

  it('measures the remaining time from where a restart has begun', () => {
    // A tenth in 5 s, and four tenths are left.
    expect(shown(false, [0, step(0)], [1000, step(10, 0.5)], [6000, step(20, 0.6)])).toContain('60 %, 20s left');
  });

  it('begins anew with each step', () => {
    const lines = shown(false, [0, step(0, 0)], [5000, step(9, 0.9)], [10_000, step(0, 0, 'next')]);
    expect(lines.split('\n')[1]).toBe('next: 0 %, 0 read, 0 written, 0 skipped');
  });

  it('has a bar on a terminal, as long as the part that is done', () => {
    const text = shown(true, [0, step(400, 0.4)]);
    expect(text).toContain(`${'█'.repeat(10)}${'░'.repeat(15)} load: 40 %`);
  });

  it('has no bar on a terminal where the step cannot tell', () => {
    const text = shown(true, [0, step(400)]);
    expect(text).toContain('load: 400 read');
    expect(text).not.toMatch(/[█░%]/);
  });
});
