import { describe, expect, it } from 'vitest';
import { ServiceError } from '../../../src/services/errors/service-error.js';

describe('a service error', () => {
  it('has no stack, and takes none from others', () => {
    const before = Error.stackTraceLimit;
    const error = new ServiceError('INVALID_VALUE', 'No number');
    expect(error).toBeInstanceOf(Error);
    expect(error.message).toBe('No number');
    expect(error.stack).not.toContain(' at ');
    expect(Error.stackTraceLimit).toBe(before);
    expect(new Error('another').stack).toContain(' at ');
  });

  it('keeps its cause', () => {
    expect(new ServiceError('INVALID_VALUE', 'No number', undefined, { cause: 'why' }).cause).toBe('why');
  });
});
