import fc from 'fast-check';
import { ExactJson, type GivenValue } from '../../../src/services/values/exact-json.js';
import type { Values } from '../shape.js';

export const from = (...values: GivenValue[]): Values => fc.constantFrom(...values);
/** JSON that is kept as it is written. */
export const exact = (text: string): ExactJson => new ExactJson(text);
export const between = (min: number, max: number): Values => fc.integer({ min, max });
export const nullable = (values: Values): Values => fc.option(values, { nil: null, freq: 6 });
/** One value in `every` is another one: invalid, or written in an unusual way. */
export const mostly = (values: Values, every: number, ...others: GivenValue[]): Values =>
  fc.oneof({ weight: every - 1, arbitrary: values }, { weight: 1, arbitrary: fc.constantFrom(...others) });

/** Few enough for operations to meet on them. */
export const id = between(1, 4);
/** Enough for groups of several. */
export const manyIds = between(1, 9);
export const hotId = between(1, 2);
export const letter = from('x', 'y', 'z');
/** Some literals are no integers, and some are written in an unusual way. */
export const integer = mostly(between(1, 4), 13, 'abc', '99999999999', ' 2 ', '+3');
