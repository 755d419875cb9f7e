import { InvalidSettingsError } from '../config/invalid-settings.error.js';
import { parseTargetName, type TargetName } from './target-name.js';

const VARIABLE = 'BATCH_ALLOWED_TARGETS';
const ANY = '*';

interface AllowedTarget {
  /** Undefined: any. */
  schema?: string;
  name?: string;
}

/** Which tables operations may be sent to: what the operator lists, and never the service's own or the system's. */
export class AllowedTargets {
  private constructor(private readonly entries: readonly AllowedTarget[]) {}

  /**
   * @param entries `table`, `schema.table`, `schema.*` or `*`
   * @throws InvalidSettingsError that lists every entry that cannot be meant.
   */
  static parse(entries: readonly string[]): AllowedTargets {
    const parsed = entries.map(parseEntry);
    const faults = parsed.filter((entry) => typeof entry === 'string');
    if (entries.length === 0) faults.push(`${VARIABLE}: names no target; '*' allows every table`);
    if (faults.length > 0) throw new InvalidSettingsError(faults);
    return new AllowedTargets(parsed.filter((entry) => typeof entry !== 'string'));
  }

  allows(target: TargetName): boolean {
    return !isReservedSchema(target.schema) && this.entries.some((entry) => matches(entry, target));
  }
}

/** Schemas that are no target whatever the settings say: the service's own tables and the system catalogs. */
function isReservedSchema(schema: string): boolean {
  return schema === 'batch' || schema === 'information_schema' || schema.startsWith('pg_');
}

function matches(entry: AllowedTarget, { schema, name }: TargetName): boolean {
  return (entry.schema ?? schema) === schema && (entry.name ?? name) === name;
}

/** @returns the fault as text when the entry is none. */
function parseEntry(text: string): AllowedTarget | string {
  if (text === ANY) return {};
  const target = parseTargetName(text);
  if (target === undefined) return fault(text, 'expected table, schema.table, schema.* or *');
  if (isReservedSchema(target.schema)) return fault(text, 'the schema is never a target');
  if (text.endsWith(`.${ANY}`) && target.name === ANY && !target.schema.includes(ANY)) return { schema: target.schema };
  // A star anywhere else is a pattern that is not understood; whoever has such a name may put it in double quotes.
  if (!text.includes('"') && text.includes(ANY))
    return fault(text, 'the star stands alone or for all tables of a schema');
  return target;
}

function fault(text: string, expected: string): string {
  return `${VARIABLE}: '${text}': ${expected}`;
}
