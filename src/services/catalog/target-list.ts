import { InvalidSettingsError } from '../config/invalid-settings.error.js';
import { parseTargetName, tableId, tableIdPrefix, type TargetName } from './target-name.js';

const ANY = '*';

interface Entry {
  /** Undefined: any schema. */
  schema?: string;
  name?: string;
}

/**
 * Tables that the operator lists: `table`, `schema.table`, `schema.*` or `*`. Tables of the service and the system are
 * never included.
 */
export class TargetList {
  private constructor(private readonly entries: readonly Entry[]) {}

  /** The tables to which operations may be sent. */
  static allowed(entries: readonly string[]): TargetList {
    const variable = 'BATCH_ALLOWED_TARGETS';
    if (entries.length === 0)
      throw new InvalidSettingsError([`${variable}: must name at least one target; '*' allows every table`]);
    return TargetList.parse(variable, entries);
  }

  /** The tables whose operations run one by one, in order. */
  static serial(entries: readonly string[]): TargetList {
    return TargetList.parse('BATCH_SERIAL_TARGETS', entries);
  }

  /** The tables to which an API key is limited. */
  static ofKey(entries: readonly string[]): TargetList {
    return TargetList.parse('--target', entries);
  }

  /** @throws InvalidSettingsError that lists every entry that is not valid */
  private static parse(variable: string, texts: readonly string[]): TargetList {
    const parsed = texts.map((text) => ({ text, entry: parseEntry(text) }));
    const faults = parsed.flatMap(({ text, entry }) =>
      typeof entry === 'string' ? [`${variable}: '${text}': ${entry}`] : [],
    );
    if (faults.length > 0) throw new InvalidSettingsError(faults);
    return new TargetList(parsed.map(({ entry }) => entry).filter((entry) => typeof entry !== 'string'));
  }

  /** The tables that it names one by one. */
  get named(): readonly TargetName[] {
    return this.entries.flatMap(({ schema, name }) =>
      schema === undefined || name === undefined ? [] : [{ schema, name }],
    );
  }

  /**
   * The same for the texts of `Table.id`: the ids in the list, and the beginnings of the ids that the list allows. The
   * caller has to leave out reserved schemas.
   */
  get patterns(): { ids: string[]; prefixes: string[] } {
    const prefixes = this.entries.flatMap(({ schema, name }) => {
      if (name !== undefined) return [];
      return schema === undefined ? [''] : [tableIdPrefix(schema)];
    });
    return { ids: this.named.map(tableId), prefixes };
  }

  includes(target: TargetName): boolean {
    return !isReservedSchema(target.schema) && this.entries.some((entry) => matches(entry, target));
  }
}

/** Schemas that are never a target, whatever the settings say: the service's own tables and the system catalogs. */
function isReservedSchema(schema: string): boolean {
  return schema === 'batch' || schema === 'information_schema' || schema.startsWith('pg_');
}

function matches(entry: Entry, { schema, name }: TargetName): boolean {
  return (entry.schema ?? schema) === schema && (entry.name ?? name) === name;
}

/** @returns the reason when the text is not a valid entry */
function parseEntry(text: string): Entry | string {
  if (text === ANY) return {};
  const target = parseTargetName(text);
  if (target === undefined) return 'expected table, schema.table, schema.* or *';
  if (isReservedSchema(target.schema)) return 'tables of this schema are never targets';
  if (text.endsWith(`.${ANY}`) && target.name === ANY && !target.schema.includes(ANY)) return { schema: target.schema };
  // A star anywhere else would be a pattern, which is not supported. A name with a star can be put in double quotes.
  if (!text.includes('"') && text.includes(ANY))
    return 'a star is allowed only alone (*) or for all tables of a schema (schema.*)';
  return target;
}
