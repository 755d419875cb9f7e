const MAX_SHOWN = 100;

/** A name of a request for use in a message: quoted, and cut when somebody sends a book. */
export function shown(text: string): string {
  return JSON.stringify(text.length <= MAX_SHOWN ? text : `${text.slice(0, MAX_SHOWN)}…`);
}
