/** Null, which no row has, for a text that is no id. */
export const toId = (text: string): string | null => (/^\d{1,18}$/.test(text) ? text : null);

/** PostgreSQL stores neither NUL nor half surrogate pairs. Messages of errors may have them. */
export const toText = (text: string): string => text.replaceAll('\0', '\\0').toWellFormed();
