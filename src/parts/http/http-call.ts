import { PartError, type PartErrorCode } from '../part-error.js';
import { toTlsFailure } from '../tls-failure.js';

/** More than any answer that a part reads. */
const LONGEST_ANSWER_BYTES = 1024 * 1024;

export interface HttpRequest {
  headers: Readonly<Record<string, string>>;
  body: string;
}

export interface HttpAnswer {
  status: number;
  /** The body. Of a body that is longer than 1 MiB only the beginning. */
  text: string;
  /** What the header Retry-After asks for, in milliseconds. */
  retryAfterMs: number | undefined;
}

/** Who is asked, for messages about a request without an answer. */
export interface HttpPlace {
  /** As the beginning of a sentence: `The gateway` */
  name: string;
  /** The variable that contains its address. */
  variable: string;
  /** Of the error when there is no answer: no connection, no name, a connection that ended. */
  unavailable: PartErrorCode;
}

/**
 * Posts, and reads the answer, whatever its status. It follows no redirection: what is meant for one server is not sent to another.
 *
 * @throws PartError TLS_REFUSED or `unavailable`; the reason of the signal when it is aborted
 */
export async function postHttp(
  { name, variable, unavailable }: HttpPlace,
  url: string,
  request: HttpRequest,
  signal: AbortSignal,
): Promise<HttpAnswer> {
  try {
    const response = await fetch(url, { method: 'POST', redirect: 'manual', signal, ...request });
    return {
      status: response.status,
      text: await beginningOf(response),
      retryAfterMs: readRetryAfter(response.headers.get('retry-after'), new Date()),
    };
  } catch (error) {
    signal.throwIfAborted();
    const { host } = new URL(url);
    // `fetch` says only that it failed. The cause says why.
    const tlsFailure = toTlsFailure(name, (error as Error).cause, { server: host, variable });
    if (tlsFailure !== undefined) throw tlsFailure;
    throw new PartError(unavailable, `${name}: no answer from ${host}: ${reasonOf(error as Error)}`, { cause: error });
  }
}

/** Both forms of the header: seconds, or a date. Undefined: there is none, or it is neither. */
export function readRetryAfter(header: string | null, now: Date): number | undefined {
  if (header === null) return undefined;
  if (/^\d+$/.test(header)) return Number(header) * 1000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now.getTime());
}

async function beginningOf(response: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of response.body ?? []) {
    parts.push(part as Uint8Array);
    bytes += (part as Uint8Array).byteLength;
    if (bytes >= LONGEST_ANSWER_BYTES) break;
  }
  return Buffer.concat(parts).subarray(0, LONGEST_ANSWER_BYTES).toString();
}

function reasonOf({ message, cause }: Error): string {
  if (!(cause instanceof Error)) return message;
  return cause.message || ('code' in cause ? String(cause.code) : message);
}
