import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { filesVariables } from '../../../src/parts/files/files-variables.js';
import { gatewayVariables } from '../../../src/parts/gateway/gateway-variables.js';
import { mailVariables } from '../../../src/parts/mail/mail-variables.js';
import { PART_ERROR_CODES } from '../../../src/parts/part-error.js';
import { pushVariables } from '../../../src/parts/push/push-variables.js';
import { unencryptedVariables } from '../../../src/parts/settings/unencrypted.js';

const page = readFileSync(join(import.meta.dirname, '../../../docs/parts.md'), 'utf8');

/** What the rows of the page's tables with this heading are about. */
function firstCells(heading: string): string[] {
  const tables = page
    .trimEnd()
    .split('\n\n')
    .filter((block) => new RegExp(`^\\| ${heading} +\\|`).test(block));
  return tables
    .flatMap((table) => table.split('\n').slice(2))
    .flatMap((row) => row.split('|')[1]!.match(/(?<=`)[A-Z0-9_]+(?=`)/g) ?? []);
}

describe('docs/parts.md', () => {
  it('has every variable of the parts once in its tables, and no other', () => {
    const all = { ...mailVariables, ...filesVariables, ...pushVariables, ...gatewayVariables, ...unencryptedVariables };
    expect(firstCells('variable').sort()).toEqual(Object.keys(all).sort());
  });

  it('names every code of a PartError, and no other', () => {
    const general = page.slice(0, page.indexOf('\n## ')).match(/(?<=`)[A-Z]+(_[A-Z]+)+(?=`)/g) ?? [];
    const others = ['_LOGIN_REFUSED', 'PARTS_ALLOW_UNENCRYPTED', 'NODE_EXTRA_CA_CERTS'];
    const named = new Set([...firstCells('code'), ...general].filter((name) => !others.includes(name)));
    expect([...named].sort()).toEqual([...PART_ERROR_CODES].sort());
  });
});
