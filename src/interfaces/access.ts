/**
 * `read`: see operations and the state of the service; `write`: create, cancel and retry operations; `admin`:
 * everything.
 */
export const SCOPES = ['read', 'write', 'admin'] as const;
export type KeyScope = (typeof SCOPES)[number];

/** What the caller that asks may do. */
export interface IAccess {
  /** False where the service asks for no keys. */
  keyRequired: boolean;
  scopes: KeyScope[];
  /** False: the key is limited to some tables, and does not reach what shows or changes the tables of all callers. */
  everyTarget: boolean;
  /** The sources for which it may send operations. Absent: any source. */
  sources?: string[];
}
