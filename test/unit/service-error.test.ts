import { describe, expect, it } from 'vitest';
import { ServiceError } from '../../src/services/errors/service-error.js';

describe('an error for a caller', () => {
  it('is short, however much of the request it quotes', () => {
    const name = 'n'.repeat(2 ** 20);
    const error = new ServiceError('INVALID_REQUEST', `An operation has no field ${name}`, { field: name, limit: 5 });

    expect(error.message).toMatch(/^An operation has no field n+\.\.\.\[1046602 more characters\]$/);
    expect(error.details).toEqual({ field: `${'n'.repeat(500)}...[1048076 more characters]`, limit: 5 });
    expect(JSON.stringify(error.toAnswer()).length).toBeLessThan(3000);
  });

  it('has no details where none are given', () => {
    expect(new ServiceError('OVERLOADED', 'too much').toAnswer()).toEqual({
      status: 'error',
      code: 'OVERLOADED',
      message: 'too much',
    });
  });
});
