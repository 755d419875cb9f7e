import pg from 'pg';

/**
 * The conditions that the service asks for by name. `classify-failure.ts` says what an error means for an operation.
 *
 * Source: https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
export const SQL_STATES = {
  stringTooLong: '22001',
  numberOutOfRange: '22003',
  notNullViolation: '23502',
  foreignKeyViolation: '23503',
  uniqueViolation: '23505',
  checkViolation: '23514',
  readOnlyTransaction: '25006',
  invalidAuthorization: '28000',
  invalidPassword: '28P01',
  invalidCatalogName: '3D000',
  insufficientPrivilege: '42501',
  undefinedColumn: '42703',
  undefinedObject: '42704',
  undefinedTable: '42P01',
  duplicateDatabase: '42P04',
  duplicateTable: '42P07',
  duplicateObject: '42710',
  invalidColumnReference: '42P10',
  exclusionViolation: '23P01',
  withCheckOptionViolation: '44000',
  objectNotInPrerequisiteState: '55000',
  lockNotAvailable: '55P03',
  queryCanceled: '57014',
} as const;

/** Undefined if PostgreSQL did not send the error. Not all codes of five capitals are SQLSTATEs: see `EPIPE`. */
export function sqlStateOf(error: unknown): string | undefined {
  const sent = driverErrorOf(error);
  return sent instanceof pg.DatabaseError ? sent.code : undefined;
}

/**
 * Unwraps the error that TypeORM puts around the driver's error. It is recognised by its field and not by its class,
 * because commands run without TypeORM: loading it takes as long as the rest of a command.
 */
export function driverErrorOf(error: unknown): unknown {
  return error instanceof Error && 'driverError' in error ? error.driverError : error;
}
