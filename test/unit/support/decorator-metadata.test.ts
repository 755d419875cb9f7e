import { Injectable } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { describe, expect, it } from 'vitest';

@Injectable()
class Clock {
  readonly name = 'clock';
}

@Injectable()
class Alarm {
  constructor(readonly clock: Clock) {}
}

describe("the tests' transform", () => {
  it('emits the decorator metadata by which Nest injects', async () => {
    const module = await Test.createTestingModule({ providers: [Clock, Alarm] }).compile();
    expect(module.get(Alarm).clock).toBe(module.get(Clock));
    await module.close();
  });
});
