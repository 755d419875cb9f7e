import type { ConsumeMessage } from 'amqplib';
import { describe, expect, it } from 'vitest';
import { Deliveries } from '../../../src/controllers/rpc/deliveries.js';

const message = (deliveryTag: number) => ({ fields: { deliveryTag } }) as ConsumeMessage;
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** What a channel is told, of messages with these tags. */
function deliver(...tags: number[]) {
  const told: string[] = [];
  const deliveries = new Deliveries({
    ack: ({ fields }, allUpTo = false) => void told.push(`ack ${allUpTo ? 'up to ' : ''}${fields.deliveryTag}`),
    nack: ({ fields }, _, requeue) =>
      void told.push(`nack ${fields.deliveryTag}${requeue === true ? ' to queue' : ''}`),
  });
  const messages = new Map(tags.map((tag) => [tag, message(tag)]));
  for (const each of messages.values()) deliveries.add(each);
  const acknowledge = (...done: number[]) => done.forEach((tag) => deliveries.acknowledge(messages.get(tag)!));
  return { told, deliveries, messages, acknowledge };
}

describe('Deliveries', () => {
  it('acknowledges what is done in one turn at once, in whatever order it was done', async () => {
    const { told, acknowledge } = deliver(1, 2, 3, 4);
    acknowledge(3, 1, 2);
    expect(told).toEqual([]);
    await turn();
    expect(told).toEqual(['ack up to 3']);
    acknowledge(4);
    await turn();
    expect(told).toEqual(['ack up to 3', 'ack up to 4']);
  });

  it('never acknowledges a message that is still under way with those behind it', async () => {
    const { told, acknowledge } = deliver(1, 2, 3, 4, 5);
    acknowledge(1, 3, 5);
    await turn();
    expect(told).toEqual(['ack up to 1', 'ack 3', 'ack 5']);
    acknowledge(2);
    await turn();
    // 3 is done with already.
    expect(told.slice(3)).toEqual(['ack up to 2']);
    acknowledge(4);
    await turn();
    expect(told.slice(4)).toEqual(['ack up to 4']);
  });

  it('does not acknowledge what it rejected', async () => {
    const { told, deliveries, messages, acknowledge } = deliver(1, 2, 3);
    deliveries.reject(messages.get(2)!);
    acknowledge(1, 3);
    await turn();
    // The broker has 2 no longer under way, so it is not among those up to 3.
    expect(told).toEqual(['nack 2', 'ack up to 3']);
  });

  it('acknowledges at once when the channel is about to be closed, and nothing twice', async () => {
    const { told, deliveries, acknowledge } = deliver(1, 2);
    acknowledge(1);
    deliveries.flush();
    expect(told).toEqual(['ack up to 1']);
    await turn();
    expect(told).toEqual(['ack up to 1']);
  });

  it('lets a closed channel be, which has returned its messages', () => {
    const closed = Object.assign(new Error('Channel closed'), { name: 'IllegalOperationError' });
    const deliveries = new Deliveries({
      ack: () => {
        throw closed;
      },
      nack: () => {
        throw closed;
      },
    });
    for (const tag of [1, 2, 3]) deliveries.add(message(tag));
    deliveries.acknowledge(message(1));
    deliveries.acknowledge(message(3));
    expect(() => deliveries.flush()).not.toThrow();
    expect(() => deliveries.reject(message(2))).not.toThrow();
  });
});
