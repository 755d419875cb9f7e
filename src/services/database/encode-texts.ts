/** A `text[]` as PostgreSQL reads it. The driver's own encoder, which knows elements of any kind, takes three times as long. */
export function encodeTexts(texts: readonly (string | null)[]): string {
  let array = '{';
  for (let index = 0; index < texts.length; index += 1) {
    // As the driver does: what is missing is NULL, and no text that says so.
    const text = texts[index] ?? null;
    array += `${index === 0 ? '' : ','}${text === null ? 'NULL' : quoteElement(text)}`;
  }
  return `${array}}`;
}

/** An element of an array, whatever it contains. */
export const quoteElement = (text: string): string =>
  NEEDS_ESCAPE.test(text) ? `"${text.replace(/[\\"]/g, '\\$&')}"` : `"${text}"`;

const NEEDS_ESCAPE = /[\\"]/;
