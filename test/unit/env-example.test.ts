import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { describe, expect, it } from 'vitest';
import { environmentSchema } from '../../src/services/config/environment-schema.js';
import { loadSettings } from '../../src/services/config/load-settings.js';

const lines = readFileSync(join(import.meta.dirname, '../../.env.example'), 'utf8').split('\n');
const documented = parseEnv(lines.join('\n')) as Record<string, string>;
const defaults: Record<string, unknown> = environmentSchema.parse({});
const variables = Object.keys(environmentSchema.shape);

describe('.env.example', () => {
  it('names every variable that the service reads, and no other', () => {
    expect(Object.keys(documented).sort()).toEqual([...variables].sort());
  });

  it('names none twice', () => {
    const names = lines.flatMap((line) => /^#?\s*([A-Z][A-Z0-9_]+)=/.exec(line)?.[1] ?? []);
    expect(names).toHaveLength(new Set(names).size);
  });

  it.each(variables)('gives the default of %s', (name) => {
    const fallback = defaults[name];
    const text = typeof fallback === 'string' || typeof fallback === 'number' || typeof fallback === 'boolean';
    expect(documented[name]).toBe(text ? String(fallback) : '');
  });

  it('says in a line of its own what each variable is for', () => {
    const undescribed = lines.filter((line, index) => /^[A-Z]/.test(line) && !/^# \S/.test(lines[index - 1] ?? ''));
    expect(undescribed).toEqual([]);
  });

  it('means, as it stands, the same settings as an empty environment', () => {
    expect(loadSettings(documented)).toEqual(loadSettings({}));
  });
});
