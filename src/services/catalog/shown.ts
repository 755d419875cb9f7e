import { cutText } from '../errors/cut-text.js';

const LONGEST_NAME = 100;

/** A name of a request for use in a message: quoted, and cut when somebody sends a book. */
export function shown(text: string): string {
  return JSON.stringify(cutText(text, LONGEST_NAME));
}
