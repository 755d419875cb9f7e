/** Messages of PostgreSQL's protocol as they travel. */

/** One with a type; its length counts itself, but not the type. */
export function message(type: string, body = ''): Buffer {
  const bytes = Buffer.alloc(5 + body.length);
  bytes.write(type, 0, 'latin1');
  bytes.writeInt32BE(4 + body.length, 1);
  bytes.write(body, 5, 'latin1');
  return bytes;
}

/** The first one of a client. */
export const startup = (): Buffer => message('', 'user\0postgres\0').subarray(1);

export const query = (): Buffer => message('Q', 'select 1\0');
export const prepared = (): Buffer => Buffer.concat([message('B'), message('E'), message('S')]);
export const done = (...tags: string[]): Buffer[] => tags.map((tag) => message('C', `${tag}\0`));
export const refused = (): Buffer => message('E', 'SERROR\0\0');
export const ready = (state: 'I' | 'T' | 'E'): Buffer => message('Z', state);
