import pino from 'pino';
import { cutText } from '../errors/cut-text.js';
import { ExactJson } from '../values/exact-json.js';
import { ownValue } from '../values/own-value.js';

/** The longest text of a log line: its message, or a field. */
export const LONGEST_LOGGED = 8192;
/** The maximum number of characters of all fields of a line together. */
const MOST_CHARACTERS = 32_768;
const MOST_ENTRIES = 50;
/** What an entry takes besides its texts. */
const ENTRY_CHARACTERS = 8;
const DEEPEST = 6;
const LONGEST_NAME = 200;

/**
 * The fields of an error that are logged. Other fields contain the data of callers: `detail` and `where` of PostgreSQL
 * quote rows and parameters. `client` of the driver is a connection with its password and statements. `requests` of the
 * client are the values to be written.
 */
const ERROR_FIELDS = new Set([
  ...['type', 'message', 'stack', 'code'],
  ...['errno', 'syscall', 'address', 'port'],
  ...['severity', 'schema', 'table', 'column', 'constraint', 'routine'],
]);

const HIDDEN = '***';
const SECRET_NAMES = new Set([
  'password',
  'secret',
  'authorization',
  'cookie',
  'apikey',
  'x-api-key',
  'db_password',
  'api_key_encryption_secret',
]);

/**
 * The fields of a log line as they are written: texts are cut, long lists and objects are shortened, deeply nested
 * values are left out. Fields with the name of a secret are hidden. So a line costs little to write and to search,
 * whatever a caller has sent.
 */
export function boundedFields(fields: object): Record<string, unknown> {
  return new Copy().entriesOf(fields, 0);
}

/** The copy of one line. All its parts share its maximum number of characters. */
class Copy {
  private left = MOST_CHARACTERS;

  entriesOf(value: object, depth: number): Record<string, unknown> {
    const names = Object.keys(value);
    const copy: [name: string, value: unknown][] = [];
    const taken = this.take(names, (name) => {
      const field = ownValue(value as Record<string, unknown>, name);
      const shown = SECRET_NAMES.has(name.toLowerCase()) ? HIDDEN : this.valueOf(field, depth);
      copy.push([this.text(name, LONGEST_NAME), shown]);
    });
    if (taken < names.length) copy.push(['…', `${names.length - taken} more fields`]);
    return Object.fromEntries(copy);
  }

  private listOf(values: readonly unknown[], depth: number): unknown[] {
    const copy: unknown[] = [];
    const taken = this.take(values, (value) => copy.push(this.valueOf(value, depth)));
    if (taken < values.length) copy.push(`…[${values.length - taken} more]`);
    return copy;
  }

  /** @returns for how many of the items there was room */
  private take<Item>(items: readonly Item[], copy: (item: Item) => void): number {
    let taken = 0;
    while (taken < items.length && taken < MOST_ENTRIES && this.left > 0) {
      this.left -= ENTRY_CHARACTERS;
      copy(items[taken]!);
      taken += 1;
    }
    return taken;
  }

  private valueOf(value: unknown, depth: number): unknown {
    switch (typeof value) {
      case 'string':
        return this.text(value, LONGEST_LOGGED);
      case 'object':
        return value === null ? null : this.objectOf(value, depth);
      case 'bigint':
        // Writing a number of a million digits takes seconds.
        return BigInt.asIntN(128, value) === value ? String(value) : 'a number of more than 128 bits';
      default:
        return value;
    }
  }

  private objectOf(value: object, depth: number): unknown {
    if (ArrayBuffer.isView(value)) return `${value.byteLength} bytes`;
    if (depth >= DEEPEST) return Array.isArray(value) ? '[…]' : '{…}';
    if (Array.isArray(value)) return this.listOf(value, depth + 1);
    if (value instanceof Error) return this.entriesOf(errorFields(value), depth + 1);
    if (value instanceof ExactJson) return this.valueOf(value.text, depth);
    if (hasOwnJson(value)) return this.valueOf(value.toJSON(), depth + 1);
    return this.entriesOf(value, depth + 1);
  }

  private text(value: string, most: number): string {
    const cut = cutText(value, Math.min(most, Math.max(this.left, 0)));
    this.left -= cut.length;
    return cut;
  }
}

function errorFields(error: Error): object {
  const fields = pino.stdSerializers.err(error) as unknown as Record<string, unknown>;
  const logged = Object.entries(fields).filter(([name]) => ERROR_FIELDS.has(name));
  return {
    ...Object.fromEntries(logged),
    // Pino's own copies of these errors contain all fields.
    ...(error instanceof AggregateError && { aggregateErrors: error.errors as unknown[] }),
  };
}

function hasOwnJson(value: object): value is { toJSON(): unknown } {
  return 'toJSON' in value && typeof value.toJSON === 'function';
}
