/**
 * Encodes a `text[]` in PostgreSQL's array syntax. The driver's own encoder handles elements of any kind and takes
 * three times as long.
 */
export function encodeTexts(texts: readonly (string | null)[]): string {
  let array = '{';
  for (let index = 0; index < texts.length; index += 1) {
    // As in the driver, a missing element is NULL and not the text "undefined".
    const text = texts[index] ?? null;
    array += `${index === 0 ? '' : ','}${text === null ? 'NULL' : quoteElement(text)}`;
  }
  return `${array}}`;
}

/** Quotes one element of an array, whatever it contains. */
export const quoteElement = (text: string): string =>
  NEEDS_ESCAPE.test(text) ? `"${text.replace(/[\\"]/g, '\\$&')}"` : `"${text}"`;

const NEEDS_ESCAPE = /[\\"]/;

/** A control character, which JSON text never contains, and a word that is no JSON. */
const SEPARATOR = 0x1f;
const NO_JSON = 'NULL';

/** Encodes JSON texts for `jsonTexts`. In an array literal each of their many quotes would have to be escaped. */
export const joinJsonTexts = (texts: readonly (string | null)[]): string =>
  texts.map((text) => text ?? NO_JSON).join(String.fromCharCode(SEPARATOR));

/** The texts that `joinJsonTexts`, or `batch.operation_contents`, has joined. None of them is null. */
export const splitJsonTexts = (joined: string): string[] => joined.split(String.fromCharCode(SEPARATOR));

/** SQL for the `text[]` that a parameter of `joinJsonTexts` stands for, such as `$1`. */
export const jsonTexts = (parameter: string): string =>
  `string_to_array(${parameter}::text, chr(${SEPARATOR}), '${NO_JSON}')`;
