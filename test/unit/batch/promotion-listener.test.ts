import { describe, expect, it } from 'vitest';
import type { ExitStatus } from '../../../src/batch/model/exit-status.js';
import { promotionListener, type PromotionOptions } from '../../../src/batch/step/promotion-listener.js';
import { b, engine } from './support/engine.js';

/** A step that leaves `orders`, and one behind it that sees what was promoted. */
async function run(
  keys: readonly string[],
  { options, fails = false }: { options?: PromotionOptions; fails?: boolean } = {},
) {
  let seen: unknown;
  const count = b
    .step('count')
    .tasklet(({ scope }) => {
      scope.step.context.put('orders', 7);
      scope.step.context.put('private', true);
      if (fails) throw new Error('broken');
    })
    .listener(promotionListener(keys, options))
    .build();
  const look = b
    .step('look')
    .tasklet(({ scope }) => void (seen = scope.job.context.toJSON()))
    .build();
  const { run: start } = engine([b.job('job').start(count).on('*').to(look).build()]);
  const { status, exitStatus }: { status: string; exitStatus: ExitStatus } = await start();
  return { status, description: exitStatus.description, seen };
}

describe('promotionListener', () => {
  it('copies the named keys to the context of the job when the step is complete, and no other', async () => {
    expect(await run(['orders', 'nothing'])).toMatchObject({ status: 'COMPLETED', seen: { orders: 7 } });
  });

  it('copies nothing of a step that failed', async () => {
    expect((await run(['orders'], { fails: true })).seen).toEqual({});
  });
});

it('promotionListener fails a complete step without a key when it is strict, and names both', async () => {
  const step = b
    .step('count')
    .tasklet(() => undefined)
    .listener(promotionListener(['orders'], { strict: true }))
    .build();
  const { run: start } = engine([b.job('job').start(step).build()]);
  const { status, exitStatus } = await start();
  expect(status).toBe('FAILED');
  expect(exitStatus.description).toContain('CONTEXT_KEY_MISSING: Step "count" has left no "orders" in its context');
});
