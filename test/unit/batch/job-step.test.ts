import { describe, expect, it } from 'vitest';
import { b, engine, noting } from './support/engine.js';

describe('a step that runs a job', () => {
  it('ends as that job ends, and a restart restarts it', async () => {
    const ran: string[] = [];
    const broken = new Set(['inner']);
    const step = noting(ran, broken);
    const inner = b.job('other').start(step('before')).next(step('inner')).build();
    const outer = b.job('outer').start(b.step('whole').job('other').build()).next(step('after')).build();
    const { run: start } = engine([outer, inner]);
    expect((await start()).status).toBe('FAILED');
    broken.clear();
    expect((await start()).status).toBe('COMPLETED');
    expect(ran).toEqual(['before', 'inner', 'inner', 'after']);
  });

  it('fails on a restart when that job was abandoned meanwhile', async () => {
    const step = noting([], new Set(['inner']));
    const inner = b.job('other').start(step('inner')).build();
    const outer = b.job('outer').start(b.step('whole').job('other').build()).build();
    const { run: start, operator, repository } = engine([outer, inner]);
    expect((await start()).status).toBe('FAILED');
    const [other] = await repository.findExecutions({ jobName: 'other', limit: 1 });
    await operator.abandon(other!.id);
    const { status, exitStatus } = await start();
    expect(status).toBe('FAILED');
    expect(exitStatus.description).toContain(`JOB_INSTANCE_ALREADY_COMPLETE`);
    expect(exitStatus.description).toContain(`execution ${other!.id} is ABANDONED`);
  });
});
