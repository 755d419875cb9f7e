import { describe, expect, it } from 'vitest';
import { checkBulkRequest } from '../../../src/services/bulk-actions/check-bulk-request.js';
import { parseJson } from '../../../src/services/values/parse-json.js';

const named = (count: number): object => Object.fromEntries(Array.from({ length: count }, (_, n) => [`name${n}`, n]));
const five = (list: string): string => `"name0", "name1", "name2", "name3", "name4"${list}`;

describe('the request of a bulk action', () => {
  it.each<[request: object, message: string]>([
    [named(1), 'The request has no field "name0", only id, filter, dryRun, expected'],
    [named(5), `The request has no fields ${five('')}, only id, filter, dryRun, expected`],
    [named(6), `The request has no fields ${five(', and 1 more')}, only id, filter, dryRun, expected`],
    [named(1005), `The request has no fields ${five(', and 1000 more')}, only id, filter, dryRun, expected`],
    [named(1006), `The request has no fields ${five(', and more than 1000 more')}, only id, filter, dryRun, expected`],
    [{ filter: named(7) }, `filter has no fields ${five(', and 2 more')}, only status, `],
  ])('is refused with the first unknown fields, and how many more there are', (request, message) => {
    expect(() => checkBulkRequest('retry', request)).toThrow(message);
  });

  it('is refused without a look at all names, and with a short message', () => {
    let asked = 0;
    const request = new Proxy(named(100_000), {
      getOwnPropertyDescriptor: (target, name) => {
        asked += 1;
        return Reflect.getOwnPropertyDescriptor(target, name);
      },
    });
    expect(() => checkBulkRequest('retry', request)).toThrow(
      expect.objectContaining({ message: expect.stringMatching(/^.{1,200}$/) as string }),
    );
    expect(asked).toBeLessThan(2000);
  });

  it.each([
    ['{ "filter": { "code": "A" }, "filter": { "code": "B" } }', 'The request has one field twice'],
    ['{ "filter": { "code": "A", "code": "B" } }', 'filter has one field twice'],
  ])('is refused when it is %s', (text, message) => {
    expect(() => checkBulkRequest('retry', parseJson(text))).toThrow(message);
  });
});
