import { describe, expect, it } from 'vitest';
import { roleWord } from '../../src/bootstrap/read-settings.js';

describe('the role on the command line', () => {
  it('is the one word that stands there, or left to the environment', () => {
    expect(roleWord(['worker'])).toBe('worker');
    expect(roleWord([])).toBeUndefined();
  });

  it('is refused when it is none, with the one that was meant', () => {
    expect(() => roleWord(['wroker'])).toThrow('got "wroker"; did you mean "worker"?');
    expect(() => roleWord(['boss'])).toThrow(
      'The role on the command line must be one of all, api, worker; got "boss"\n',
    );
  });

  it('is refused when there are two: one of them would not run', () => {
    expect(() => roleWord(['api', 'worker'])).toThrow('one of all, api, worker; got 2 words: api worker');
    expect(() => roleWord(['api', 'wroker'])).toThrow('got "wroker"; did you mean "worker"?');
  });
});
