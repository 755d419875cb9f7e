// The name of a worker becomes the name of a folder, a package, a queue, classes and a schema of the database.
const LONGEST = 40;
const KEBAB = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/;
/** `JobProcessor` and `WorkerJob` are classes of the library that the worker imports. */
const TAKEN = ['job', 'worker'];
/** Schemas of PostgreSQL, of BullMQ, of the library and of the Batch Service. */
const SCHEMAS = ['information-schema', 'bullmq', 'batch-worker', 'batch'];
/** PostgreSQL refuses other schemas with this beginning. */
const SCHEMAS_OF_POSTGRES = /^pg-/;
/** Windows takes a file with such a name for a device, also `con.processor.ts`. */
const DEVICES = /^(con|prn|aux|nul|(com|lpt)[0-9])$/;
const KEYWORDS = [
  ...[
    'abstract',
    'any',
    'arguments',
    'as',
    'async',
    'await',
    'boolean',
    'break',
    'case',
    'catch',
    'class',
    'const',
    'continue',
  ],
  ...[
    'debugger',
    'declare',
    'default',
    'delete',
    'do',
    'else',
    'enum',
    'eval',
    'export',
    'extends',
    'false',
    'finally',
    'for',
  ],
  ...[
    'from',
    'function',
    'get',
    'if',
    'implements',
    'import',
    'in',
    'instanceof',
    'interface',
    'let',
    'module',
    'namespace',
  ],
  ...[
    'never',
    'new',
    'null',
    'number',
    'object',
    'of',
    'package',
    'private',
    'protected',
    'public',
    'return',
    'set',
    'static',
  ],
  ...[
    'string',
    'super',
    'switch',
    'symbol',
    'this',
    'throw',
    'true',
    'try',
    'type',
    'typeof',
    'undefined',
    'unknown',
    'var',
  ],
  ...['void', 'while', 'with', 'yield'],
];
const RESERVED = new Set([...TAKEN, ...SCHEMAS, ...KEYWORDS]);

/** What is wrong with the name of a worker; undefined: it is good. */
export function faultOfName(name) {
  if (name.length > LONGEST) return `it has ${name.length} characters, and at most ${LONGEST} are allowed`;
  if (!KEBAB.test(name)) {
    return 'expected lower-case letters and digits, words joined by a hyphen, a letter first, such as payment or card-payment';
  }
  if (RESERVED.has(name) || SCHEMAS_OF_POSTGRES.test(name) || DEVICES.test(name))
    return 'it is reserved; choose another word, such as payment';
  return undefined;
}

/** `card-payment` → `CardPayment` */
export const pascalCase = (name) => name.replace(/(^|-)([a-z0-9])/g, (_all, _hyphen, first) => first.toUpperCase());

/** `card-payment` → `cardPayment` */
export const camelCase = (name) => name.replace(/-([a-z0-9])/g, (_all, first) => first.toUpperCase());
