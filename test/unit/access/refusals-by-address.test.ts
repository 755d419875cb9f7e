import { describe, expect, it } from 'vitest';
import { RefusalsByAddress } from '../../../src/services/access/refusals-by-address.js';

function setUp(limit = 2) {
  const clock = { now: 0 };
  const refusals = new RefusalsByAddress({ limit, windowMs: 1000, now: () => clock.now });
  return { clock, count: (address: string) => refusals.count(address) };
}

describe('the refusals of an address', () => {
  it('are limited in each window, and what is beyond is told how long to wait', () => {
    const { clock, count } = setUp();
    expect([count('10.0.0.1'), count('10.0.0.1')]).toEqual([undefined, undefined]);
    clock.now = 400;
    expect(count('10.0.0.1')).toBe(600);
    expect(count('10.0.0.2')).toBeUndefined();
    clock.now = 1000;
    expect(count('10.0.0.1')).toBeUndefined();
  });

  it('are not limited with a limit of 0', () => {
    const { count } = setUp(0);
    for (let i = 0; i < 100; i += 1) expect(count('10.0.0.1')).toBeUndefined();
  });

  it.each([
    ['10.0.0.1', '::ffff:10.0.0.1'],
    ['2001:db8:0:7::1', '2001:db8:0:7:ffff::2'],
    ['2001:db8::1', '2001:db8:0:0:9::'],
    ['2001:DB8:1:2:3:4:5:6', '2001:db8:1:2::'],
    ['::1', '0:0:0:0:8::'],
  ])('count %s and %s as one', (one, other) => {
    const { count } = setUp(1);
    count(one);
    expect(count(other)).toBe(1000);
  });

  it.each([
    ['10.0.0.1', '10.0.0.2'],
    ['2001:db8:0:7::1', '2001:db8:0:8::1'],
    ['::ffff:10.0.0.1', '::ffff:10.0.0.2'],
  ])('count %s and %s apart', (one, other) => {
    const { count } = setUp(1);
    count(one);
    expect(count(other)).toBeUndefined();
  });

  it('of more addresses than are remembered, and of what is no address, are counted together', () => {
    const { count } = setUp(1);
    for (let i = 0; i < 10_000; i += 1) expect(count(`10.1.${i >> 8}.${i & 255}`)).toBeUndefined();
    expect(count('10.2.0.1')).toBeUndefined();
    expect(count('10.2.0.2')).toBe(1000);
    expect(count('unknown')).toBe(1000);
    expect(count('10.1.0.0')).toBe(1000);
  });
});
