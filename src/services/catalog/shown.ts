import { cutText } from '../errors/cut-text.js';

const LONGEST_NAME = 100;

/** A name from a request for use in a message: quoted, and cut if it is long. */
export function shown(text: string): string {
  return JSON.stringify(cutText(text, LONGEST_NAME));
}
