import { expect, it } from 'vitest';
import { MemoryJobRepository } from '../../../src/batch/repository/memory-job-repository.js';
import { b, engine, itemsOf, listReader, table } from './support/engine.js';

it('an operator whose execution was taken over answers to who awaits its end that it has failed', async () => {
  const repository = new MemoryJobRepository();
  const { rows, writer } = table();
  let hangs = true;
  let goOn: () => void = () => undefined;
  const step = b
    .step('load')
    .chunk(2)
    .reader(() => listReader(itemsOf(4)))
    .writer({
      write: async (...given) => {
        const isFirst = hangs;
        hangs = false;
        if (isFirst) await new Promise<void>((resolve) => (goOn = resolve));
        await writer.write(...given);
      },
    })
    .build();
  const job = b.job('job').start(step).build();
  const slow = engine([job], repository, { leaseMs: -1 }).operator;
  const { id } = await slow.start('job');
  const end = slow.awaitEnd(id);
  while (hangs) await new Promise(setImmediate);
  const { operator } = engine([job], repository);
  await operator.recover();
  const [latest] = await repository.findExecutions({ limit: 1 });
  expect((await operator.awaitEnd(latest!.id)).status).toBe('COMPLETED');
  goOn();
  expect(await end).toMatchObject({ id, status: 'FAILED', interrupted: true });
  expect(rows).toEqual(itemsOf(4));
});
