import { expect, it } from 'vitest';
import { parkedRetryMs } from '../../../src/services/notification/parked-retry.js';

it('a parked notification is tried after a minute, later and later, and every hour at last', () => {
  const minutes = [1, 2, 3, 4, 5, 6, 7, 8, 1000].map((failures) => parkedRetryMs(failures) / 60_000);
  expect(minutes).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60]);
});
