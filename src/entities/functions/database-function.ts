/** A function of schema `batch`. Migrations install it, and install it again when the database has an older version. */
export interface DatabaseFunction {
  /** It is unique in the schema. */
  name: string;
  /** A greater number for each change. A process works with this version and with later ones. */
  version: number;
  /** Everybody may call it. Otherwise only roles to which it is granted. */
  isPublic?: boolean;
  /** `create or replace function`. Where its arguments or its result change, a migration drops the function before. */
  sql: string;
}
