const PREFIX = 'batch-service ';
/** PostgreSQL cuts a longer name. The end of a worker's name tells it from others, so the beginning is left out. */
const LONGEST = 63;
const LONGEST_WORKER = LONGEST - PREFIX.length;

/** `application_name` of the sessions of a process, such as `batch-service worker-1:42`. */
export function sessionName(worker: string): string {
  return PREFIX + worker.slice(-LONGEST_WORKER);
}

/** The same as an expression of SQL. */
export const sessionNameSql = (worker: string): string => `'${PREFIX}' || right(${worker}, ${LONGEST_WORKER})`;
