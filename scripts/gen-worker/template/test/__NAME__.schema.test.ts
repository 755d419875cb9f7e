import { describe, expect, it } from 'vitest';
import { __CAMEL__Schema } from '../src/__NAME__.schema.js';

describe('the data of a job', () => {
  it.each([{ text: 'a' }, { text: 'a'.repeat(1000) }])('may be %j', (data) => {
    expect(__CAMEL__Schema.safeParse(data).success).toBe(true);
  });

  it.each([{}, { text: '' }, { text: 5 }, { text: 'a'.repeat(1001) }, null])('may not be %j', (data) => {
    expect(__CAMEL__Schema.safeParse(data).success).toBe(false);
  });
});
