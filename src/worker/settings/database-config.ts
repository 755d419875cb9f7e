import { readFileSync } from 'node:fs';
import { faultsOf } from './faults-of.js';
import { databaseConfigSchema, instanceSchema } from './json-schemas.js';
import type { DatabaseInstance } from './worker-settings.js';

const NAME = 'DATABASE_CONFIG';
const EXAMPLE =
  '{ "instances": { "default": { "dbms": "postgres", "host": "…", "user": "…", "password": "…", "database": "…" } } }';

export interface ReadInstances {
  instances: Map<string, DatabaseInstance>;
  /** Names of instances, faulty ones too. */
  names: readonly string[];
  faults: string[];
}

/**
 * Reads the databases of a process. No value of the text is part of a fault when it may hold a password.
 *
 * @param text JSON, or the path of a file with JSON. Undefined: there is no database.
 */
export function readInstances(text: string | undefined): ReadInstances {
  if (text === undefined || text === '') return { instances: new Map(), names: [], faults: [] };
  const json = readJson(NAME, text, EXAMPLE);
  if ('fault' in json) return { instances: new Map(), names: [], faults: [json.fault] };
  const outer = databaseConfigSchema.safeParse(json.value);
  if (!outer.success) return { instances: new Map(), names: [], faults: faultsOf(outer.error, json.value, NAME) };
  const given = Object.entries(outer.data.instances);
  const read = given.map(([name, value]) => ({ name, value, result: instanceSchema.safeParse(value) }));
  return {
    names: given.map(([name]) => name),
    instances: new Map(read.flatMap(({ name, result }) => (result.success ? [[name, result.data] as const] : []))),
    faults: read.flatMap(({ name, value, result }) =>
      result.success ? [] : faultsOf(result.error, value, `${NAME}.instances.${name}`),
    ),
  };
}

/** JSON of a variable, or of the file that it names. The message of the parser is not shown: it quotes the text. */
export function readJson(name: string, text: string, example: string): { value: unknown } | { fault: string } {
  let content = text;
  if (!/^\s*[[{]/.test(text)) {
    try {
      content = readFileSync(text, 'utf8');
    } catch (error) {
      const reason = (error as NodeJS.ErrnoException).code ?? 'it cannot be read';
      return { fault: `${name}: expected JSON such as ${example}, or the path of a file with it; ${reason}` };
    }
  }
  try {
    return { value: JSON.parse(content) as unknown };
  } catch {
    return { fault: `${name}: expected JSON such as ${example}, or the path of a file with it; it is no JSON` };
  }
}
