import { describe, expect, it } from 'vitest';
import type { RpcPacket } from '../../../src/controllers/rpc/decode-packet.js';
import { identify, type Identified } from '../../../src/controllers/rpc/stable-identity.js';
import { runSteps } from '../../../src/services/steps/steps.js';

const MESSAGE_ID = '0198F2A0-3B1C-4D4E-9F50-6A7B8C9D0E1F';
const OWN_ID = '7b1d3e52-8a44-4f0e-9a57-3c1f5f0f2f11';
const insert = (id?: unknown): object => ({
  ...(id !== undefined && { id }),
  operationType: 'insert',
  target: 'orders',
});
const packet = (pattern: string, data: unknown) => ({ pattern, id: undefined, data });

const identified = (request: RpcPacket, messageId: unknown): Identified => runSteps(identify(request, messageId));

describe('identify', () => {
  it('gives an operation without an id that of its message', () => {
    expect(identified(packet('create_operation', insert()), MESSAGE_ID)).toEqual({
      packet: packet('create_operation', insert(MESSAGE_ID.toLowerCase())),
      repeatable: true,
    });
  });

  it('gives each operation of a list an id of its own, the same one every time', () => {
    const request = packet('create_operations', { operations: [insert(), insert(OWN_ID), insert()] });
    const first = identified(request, MESSAGE_ID);
    expect(first.repeatable).toBe(true);
    const { operations } = first.packet.data as { operations: { id: string }[] };
    const [one, own, other] = operations.map(({ id }) => id);
    expect(own).toBe(OWN_ID);
    expect(one).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-5/);
    expect(other).not.toBe(one);
    expect(identified(request, MESSAGE_ID.toLowerCase())).toEqual(first);
    expect(identified(request, OWN_ID)).not.toEqual(first);
  });

  it.each<[what: string, pattern: string, data: unknown]>([
    ['an operation with an id', 'create_operation', insert(OWN_ID)],
    ['an id that is none', 'create_operation', insert(null)],
    ['no operation', 'create_operation', 'insert'],
    ['nothing', 'create_operation', undefined],
    ['a list of operations with ids', 'create_operations', { operations: [insert(OWN_ID), 1] }],
    ['no list', 'create_operations', { operations: 1 }],
    ['what creates nothing', 'cancel_operation', { id: OWN_ID }],
  ])('leaves %s as it is, to be repeated', (_what, pattern, data) => {
    expect(identified(packet(pattern, data), MESSAGE_ID)).toEqual({ packet: packet(pattern, data), repeatable: true });
  });

  it.each<[what: string, messageId: unknown]>([
    ['no message id', undefined],
    ['a counter', '17'],
    ['an empty message id', ''],
    ['the nil UUID', '00000000-0000-0000-0000-000000000000'],
  ])('does not make an id from %s, and says that the message cannot be repeated', (_what, messageId) => {
    const one = packet('create_operation', insert());
    const many = packet('create_operations', { operations: [insert(OWN_ID), insert()] });
    expect(identified(one, messageId)).toEqual({ packet: one, repeatable: false });
    expect(identified(many, messageId)).toEqual({ packet: many, repeatable: false });
  });
});
