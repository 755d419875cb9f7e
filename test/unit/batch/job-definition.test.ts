import { describe, expect, it } from 'vitest';
import { split, subflow } from '../../../src/batch/flow/flow-builder.js';
import { InvalidJobDefinitionError } from '../../../src/batch/model/batch-error.js';
import type { Step } from '../../../src/batch/step/step.js';
import { b, engine, type Tx } from './support/engine.js';

const step = (name: string): Step<Tx> =>
  b
    .step(name)
    .tasklet(() => undefined)
    .build();

const partitioned = (worker: (name: string) => Step<Tx>, gridSize = 1): Step<Tx> =>
  b
    .step('all')
    .partitioned({ gridSize, partitioner: () => ({ p0: {} }), worker })
    .build();

describe('a job is refused', () => {
  const flow = (name: string, ...[first, ...others]: Step<Tx>[]) =>
    others.reduce((built, each) => built.next(each), b.flow(name).start(first!)).build();

  it.each([
    [
      'in two flows of a split',
      () => b.job('job').start(split('both', flow('one', step('load')), flow('two', step('load')))),
    ],
    [
      'in the job and in a nested flow',
      () =>
        b
          .job('job')
          .start(step('load'))
          .next(subflow(flow('part', step('load')))),
    ],
    [
      'in a nested flow of a split and behind it',
      () => {
        const inner = b
          .flow('outer')
          .start(subflow(flow('inner', step('load'))))
          .build();
        return b
          .job('job')
          .start(split('both', inner, flow('two', step('other'))))
          .next(step('load'));
      },
    ],
  ])('when two different steps have one name: %s', (_, job) => {
    expect(() => job().build()).toThrow(InvalidJobDefinitionError);
    expect(() => job().build()).toThrow('Job "job" has two different steps with the name "load"');
  });

  it('not when one step is in two of its flows', () => {
    const load = step('load');
    const job = b
      .job('job')
      .start(step('first'))
      .on('A')
      .to(subflow(flow('one', load)));
    expect(
      job
        .from(step('first'))
        .on('*')
        .to(subflow(flow('two', load)))
        .build().name,
    ).toBe('job');
  });
});

describe('a partitioned step', () => {
  it.each([0, -1, 1.5, NaN, Infinity])('is refused with a grid size of %s', (gridSize) => {
    expect(() => partitioned(step, gridSize)).toThrow(InvalidJobDefinitionError);
    expect(() => partitioned(step, gridSize)).toThrow(
      `The grid size of step "all" must be a whole number from 1, and is ${gridSize}`,
    );
  });

  it('fails when its worker gives a step another name than it gets', async () => {
    const { run, steps } = engine([
      b
        .job('job')
        .start(partitioned(() => step('load')))
        .build(),
    ]);
    const execution = await run();
    expect(execution.status).toBe('FAILED');
    expect(execution.exitStatus.description).toContain('INVALID_JOB_DEFINITION');
    expect(execution.exitStatus.description).toContain('a step with the name "all:p0", and made "load"');
    expect((await steps(execution)).map(({ stepName }) => stepName)).toEqual(['all']);
  });
});
