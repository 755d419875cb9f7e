import { cutText } from './cut-text.js';

const LONGEST_NAME = 100;

/** A name from a request for use in a message: quoted, and cut if it is long. */
export function quoteForMessage(text: string): string {
  return JSON.stringify(cutText(text, LONGEST_NAME));
}
