import { format, resolveConfig } from 'prettier';
import { describe, expect, it } from 'vitest';
import { DETAIL_COLUMNS } from '../../src/entities/operation-details.js';
import { OPERATION_FIELDS, type FieldSchema, type OperationField } from '../../src/interfaces/operation-fields.js';
import { OPERATION_TYPES } from '../../src/interfaces/operation.js';
import { fitsSchema } from '../../src/services/intake/fits-schema.js';

const DOCUMENT = 'docs/operation-fields.md';
const FIELDS: readonly [string, OperationField][] = Object.entries(OPERATION_FIELDS);

const kindsOf = ({ types }: OperationField): string =>
  types.length === OPERATION_TYPES.length ? 'all' : types.join(', ');
const defaultOf = (schema: FieldSchema): string =>
  'default' in schema ? `\`${JSON.stringify(schema.default)}\`` : '–';

/** The document, in the format of the others. */
async function describeFields(): Promise<string> {
  const text = `# Fields of an operation

What a caller may say about an operation, over RPC, REST and in SQL. \`operationType\` and \`target\` are required. A test makes this page from the
declaration of the service, \`src/interfaces/operation-fields.ts\`.

| field | for | it | default | meaning |
| --- | --- | --- | --- | --- |
${FIELDS.map(
  ([field, declared]) =>
    `| \`${field}\` | ${kindsOf(declared)} | ${declared.expects} | ${defaultOf(declared.schema)} | ${declared.schema.description} Example: \`${JSON.stringify(exampleOf(declared.schema))}\` |`,
).join('\n')}
`;
  return format(text, { ...(await resolveConfig(DOCUMENT)), parser: 'markdown' });
}

function exampleOf(schema: FieldSchema): unknown {
  const { example, properties } = schema;
  if (properties === undefined) return example;
  return Object.fromEntries(Object.entries(properties).map(([name, inner]) => [name, exampleOf(inner)]));
}

describe('the fields of an operation', () => {
  it(`are described in ${DOCUMENT} as they are declared; \`npx vitest run test/unit/operation-fields.test.ts -u\` writes it`, async () => {
    await expect(await describeFields()).toMatchFileSnapshot(`../../${DOCUMENT}`);
  });

  it.each(FIELDS)('%s has a description, and an example that is right', (_, { schema }) => {
    expect(schema.description).toMatch(/^[A-Za-z`].*\.$/);
    expect(fitsSchema(schema)(exampleOf(schema))).toBe(true);
  });

  it('have columns of their own only once', () => {
    const columns = DETAIL_COLUMNS.map(({ column }) => column);
    expect(new Set(columns).size).toBe(columns.length);
  });
});
