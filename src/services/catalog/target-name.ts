/** A table's name in its two parts, exactly as in PostgreSQL's catalog. */
export interface TargetName {
  schema: string;
  name: string;
}

const DEFAULT_SCHEMA = 'public';
/** One or two parts, each in quotes or plain. */
const TARGET = /^(?:"((?:[^"]|"")+)"|([^".]+))(?:\.(?:"((?:[^"]|"")+)"|([^".]+)))?$/u;

/**
 * Reads `table` or `schema.table`. Names are case-sensitive and literal. A part that contains a dot or a quote is in
 * double quotes, with its own quotes doubled.
 *
 * @returns undefined when the text is no such name
 */
export function parseTargetName(text: string): TargetName | undefined {
  if (!isStorable(text)) return undefined;
  const match = TARGET.exec(text);
  if (match === null) return undefined;
  const first = unquoted(match[1], match[2]);
  const second = unquoted(match[3], match[4]);
  if (first === undefined) return undefined;
  return second === undefined ? { schema: DEFAULT_SCHEMA, name: first } : { schema: first, name: second };
}

/** PostgreSQL's text can contain neither NUL nor half a surrogate pair. */
export function isStorable(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0');
}

/** `Table.id`: one text for one table. `parseTargetName` reads it back. */
export function tableId({ schema, name }: TargetName): string {
  return `${idPart(schema)}.${idPart(name)}`;
}

/** The beginning of the `tableId` of every table of the schema, and of no other table. */
export function tableIdPrefix(schema: string): string {
  return `${idPart(schema)}.`;
}

/** The name for use in SQL, quoted and qualified. */
export function tableSql({ schema, name }: TargetName): string {
  return `${quoteIdentifier(schema)}.${quoteIdentifier(name)}`;
}

/** An identifier that PostgreSQL reads literally, whatever it contains. */
export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function unquoted(quoted: string | undefined, plain: string | undefined): string | undefined {
  return quoted === undefined ? plain : quoted.replaceAll('""', '"');
}

function idPart(part: string): string {
  return /[".]/.test(part) ? quoteIdentifier(part) : part;
}
