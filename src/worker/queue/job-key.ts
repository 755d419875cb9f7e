import { WorkerError } from '../worker-error.js';

/** Which job it is: what is to be done, and to what. A key takes effect once. */
export interface JobKey {
  /** The kind of work, such as `confirm`. 1 to 100 characters. */
  type: string;
  /** What the work is done to, such as the number of an order. 1 to 500 characters. */
  targetId: string;
}

const LONGEST_TYPE = 100;
const LONGEST_TARGET = 500;
const SEPARATOR = '/';

/**
 * The id of a job in its queue. Two jobs of one key have one id, so the queue keeps only the first.
 *
 * BullMQ refuses ids that are numbers or contain a colon. An encoded text with a slash is neither, and the slash cannot
 * come from the type or the target.
 *
 * @throws WorkerError JOB_KEY_INVALID
 */
export function jobIdOf(key: JobKey): string {
  const type = encoded('type', key.type, LONGEST_TYPE);
  return `${type}${SEPARATOR}${encoded('targetId', key.targetId, LONGEST_TARGET)}`;
}

/** The key of a job, undefined for one that was added without a key: its id says nothing about its target. */
export function keyOf(id: string, type: string): JobKey | undefined {
  const [first, second, ...more] = id.split(SEPARATOR);
  if (second === undefined || more.length > 0 || first !== encodeURIComponent(type)) return undefined;
  try {
    return { type, targetId: decodeURIComponent(second) };
  } catch {
    return undefined;
  }
}

function encoded(field: keyof JobKey, value: unknown, longest: number): string {
  // PostgreSQL stores no NUL in a text. A half of a surrogate pair is no character.
  if (typeof value === 'string' && value !== '' && value.length <= longest && !value.includes('\0') && isWhole(value)) {
    return encodeURIComponent(value);
  }
  throw new WorkerError(
    'JOB_KEY_INVALID',
    `The ${field} of a job must be a text of 1 to ${longest} characters; got ${JSON.stringify(value)?.slice(0, 60)}`,
  );
}

const isWhole = (text: string): boolean => !/\p{Surrogate}/u.test(text);
