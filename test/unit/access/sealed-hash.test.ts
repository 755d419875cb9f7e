import { describe, expect, it } from 'vitest';
import { hashOf, openHash, sealHash, sealingKey } from '../../../src/services/access/sealed-hash.js';

const OLD = sealingKey('the old secret of the service, long enough');
const NEW = sealingKey('the new secret of the service, long enough');
const HASH = hashOf('the secret of a key');

describe('the hash of a key as it is stored', () => {
  it('is opened with the secret that it was sealed with, whatever others there are', () => {
    const sealed = sealHash(OLD, 'a', HASH);
    expect(openHash([OLD], 'a', sealed)).toEqual(HASH);
    expect(openHash([NEW, OLD], 'a', sealed)).toEqual(HASH);
  });

  it('is not opened with another secret, also when that claims to be the one', () => {
    const sealed = sealHash(OLD, 'a', HASH);
    expect(openHash([NEW], 'a', sealed)).toBeUndefined();
    expect(openHash([NEW], 'a', { ...sealed, secretVersion: NEW.version })).toBeUndefined();
    expect(openHash([], 'a', sealed)).toBeUndefined();
  });

  it('is not opened in the row of another key', () => {
    expect(openHash([OLD], 'b', sealHash(OLD, 'a', HASH))).toBeUndefined();
  });

  it('is not opened when any byte of it was altered, or some are missing', () => {
    const { secretVersion, secretBox: box } = sealHash(OLD, 'a', HASH);
    for (let at = 0; at < box.length; at += 1) {
      const altered = Buffer.from(box);
      altered[at]! ^= 1;
      expect(openHash([OLD], 'a', { secretVersion, secretBox: altered })).toBeUndefined();
      expect(openHash([OLD], 'a', { secretVersion, secretBox: box.subarray(0, at) })).toBeUndefined();
    }
  });

  it('is never twice the same, and holds nothing that can be read', () => {
    const boxes = Array.from({ length: 100 }, () => sealHash(OLD, 'a', HASH).secretBox.toString('hex'));
    expect(new Set(boxes).size).toBe(100);
    for (const box of boxes) expect(box).not.toContain(HASH.toString('hex'));
  });

  it('tells which secret it was by 16 digits, the same in every process', () => {
    expect(OLD.version).toMatch(/^[0-9a-f]{16}$/);
    expect(sealingKey('the old secret of the service, long enough').version).toBe(OLD.version);
    expect(NEW.version).not.toBe(OLD.version);
    expect(OLD.key.toString('hex')).not.toContain(OLD.version);
  });
});
