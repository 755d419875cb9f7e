import type { Type } from '@nestjs/common';
import { describe, expect, it } from 'vitest';
import { ChunkIdDto, LaneDto, OperationIdDto, WaitForOperationDto } from '../../../src/controllers/dto/ids.dto.js';
import { namedFieldsPipe } from '../../../src/controllers/pipes/validation.pipes.js';

const ID = '0198F2A0-3b1c-7d4e-9f50-6a7b8c9d0e1f';
const read = (dto: Type, value: unknown): Promise<unknown> =>
  namedFieldsPipe.transform(value, { type: 'body', metatype: dto });
const NAMES_NONE = 'The request names no operation; expected { "id": "<uuid>" }';
const TIME = `'timeoutMs' must be a whole number of milliseconds from 0 to 30000`;

describe('the fields that a request names', () => {
  it.each<[Type, object, object]>([
    [OperationIdDto, { id: ID }, { id: ID.toLowerCase() }],
    [OperationIdDto, { id: ID, apiKey: 'x', nested: [[{}]] }, { id: ID.toLowerCase() }],
    [WaitForOperationDto, { id: ID, timeoutMs: 0 }, { id: ID.toLowerCase(), timeoutMs: 0 }],
    [WaitForOperationDto, { id: ID }, { id: ID.toLowerCase(), timeoutMs: 10_000 }],
    [ChunkIdDto, { id: '9223372036854775807' }, { id: '9223372036854775807' }],
    [LaneDto, { lane: '63' }, { lane: 63 }],
  ])('are read: %o %j', async (dto, value, expected) => {
    expect({ ...((await read(dto, value)) as object) }).toEqual(expected);
  });

  it.each<[Type, unknown, code: string, message: string]>([
    [OperationIdDto, undefined, 'INVALID_REQUEST', NAMES_NONE],
    [OperationIdDto, null, 'INVALID_REQUEST', NAMES_NONE],
    [OperationIdDto, ID, 'INVALID_REQUEST', NAMES_NONE],
    [OperationIdDto, [ID], 'INVALID_REQUEST', NAMES_NONE],
    [OperationIdDto, Object.create({ id: ID }), 'INVALID_REQUEST', NAMES_NONE],
    [OperationIdDto, { id: '4711' }, 'INVALID_ID', `The id of an operation must be a UUID, got '4711'`],
    [OperationIdDto, { id: null }, 'INVALID_ID', 'The id of an operation must be a UUID, got a value of type null'],
    [OperationIdDto, { id: 7 }, 'INVALID_ID', 'The id of an operation must be a UUID, got a value of type number'],
    [OperationIdDto, { id: [ID] }, 'INVALID_ID', 'The id of an operation must be a UUID, got a value of type object'],
    [OperationIdDto, { id: `$value$'$&` }, 'INVALID_ID', `The id of an operation must be a UUID, got '$value$'$&'`],
    [WaitForOperationDto, { id: ID, timeoutMs: null }, 'INVALID_REQUEST', TIME],
    [WaitForOperationDto, { id: ID, timeoutMs: '5' }, 'INVALID_REQUEST', TIME],
    [WaitForOperationDto, { id: ID, timeoutMs: 1.5 }, 'INVALID_REQUEST', TIME],
    [WaitForOperationDto, { id: ID, timeoutMs: 30_001 }, 'INVALID_REQUEST', TIME],
    [
      ChunkIdDto,
      { id: '9223372036854775808' },
      'INVALID_REQUEST',
      `The id of a chunk must be a number, got '9223372036854775808'`,
    ],
    [LaneDto, { lane: '64' }, 'INVALID_REQUEST', `A lane must be a number from 0 to 63, got '64'`],
  ])('are refused: %o %j', async (dto, value, code, message) => {
    await expect(read(dto, value)).rejects.toMatchObject({ code, message });
  });

  it('are cut where they are quoted, whatever they contain', async () => {
    const id = '$value'.repeat(16) + "$'".repeat(1_000_000);
    const refusal = (await read(OperationIdDto, { id }).catch((error: unknown) => error)) as Error;
    expect(refusal.message).toMatch(/^The id of an operation must be a UUID, got '\$value/);
    expect(refusal.message.length).toBeLessThan(200);
  });

  it('are all that is looked at', async () => {
    const untouched = new Proxy({}, { ownKeys: () => expect.unreachable() });
    const payload = { id: ID, values: untouched };
    await read(OperationIdDto, payload);
    expect(payload.values).toBe(untouched);
    await expect(read(OperationIdDto, { id: untouched })).rejects.toMatchObject({ code: 'INVALID_ID' });
  });
});
