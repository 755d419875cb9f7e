import { signal } from '@preact/signals';
import type { IServiceError } from '../../../src/interfaces/error.js';
import { parseExactly } from './exact-numbers.js';
import { apiKey, keyProblem } from '../state/session.js';

export const API = '/api/v1';

/** A problem as the service answers it, RFC 9457. */
interface Problem extends Pick<IServiceError, 'code' | 'details'> {
  status: number;
  title: string;
  detail: string;
  requestId?: string;
}

/** What the service answered instead of what it was asked for. */
export class ProblemError extends Error {
  readonly code: string;
  readonly status: number;
  readonly title: string;
  readonly requestId: string | undefined;

  constructor({ code, status, title, detail, requestId }: Problem) {
    super(detail);
    this.code = code;
    this.status = status;
    this.title = title;
    this.requestId = requestId;
  }
}

/** The service did not answer at all. */
export class UnreachableError extends Error {}

/** False while the service does not answer. */
export const reachable = signal(true);

export interface RequestOptions {
  method?: 'GET' | 'POST' | 'DELETE';
  body?: unknown;
  signal?: AbortSignal;
}

/** Asks the REST API. The key travels in a header. */
export async function request<T>(
  path: string,
  { method = 'GET', body, signal: stop }: RequestOptions = {},
): Promise<T> {
  const response = await send(path, { method, body, signal: stop });
  if (!response.ok) throw await problemOf(response);
  keyProblem.value = undefined;
  return parseExactly(await response.text()) as T;
}

/** @throws ProblemError, UnreachableError */
export async function open(path: string, stop: AbortSignal): Promise<Response> {
  const response = await send(path, { signal: stop });
  if (!response.ok) throw await problemOf(response);
  return response;
}

async function send(path: string, { method = 'GET', body, signal: stop }: RequestOptions): Promise<Response> {
  const key = apiKey.value;
  try {
    const response = await fetch(path.startsWith('/') ? path : `${API}/${path}`, {
      method,
      headers: {
        ...(key !== undefined && { authorization: `Bearer ${key}` }),
        // Also without a body: a page of another site cannot send this header, so it cannot act in somebody's name.
        ...(method === 'POST' && { 'content-type': 'application/json' }),
      },
      ...(method === 'POST' && { body: JSON.stringify(body ?? {}) }),
      cache: 'no-store',
      credentials: 'omit',
      redirect: 'error',
      ...(stop && { signal: stop }),
    });
    reachable.value = true;
    return response;
  } catch (error) {
    if (stop?.aborted) throw error;
    reachable.value = false;
    throw new UnreachableError('The service does not answer', { cause: error });
  }
}

async function problemOf(response: Response): Promise<ProblemError> {
  const problem = await readProblem(response);
  if (response.status === 401) keyProblem.value = problem.code === 'API_KEY_REQUIRED' ? '' : problem.detail;
  return new ProblemError(problem);
}

/** A proxy in front of the service answers in its own way. */
async function readProblem(response: Response): Promise<Problem> {
  const { status, statusText } = response;
  try {
    const problem = (await response.json()) as Partial<Problem>;
    if (typeof problem.code === 'string' && typeof problem.detail === 'string') return problem as Problem;
  } catch {
    // It is no JSON.
  }
  return { code: 'INTERNAL_ERROR', status, title: statusText, detail: `The answer was ${status} ${statusText}` };
}

/** The same request for a terminal. The key is left out: it would stay in the history of the shell. */
export function asCurl(path: string, { method = 'GET', body }: RequestOptions = {}): string {
  const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
  return [
    'curl -s',
    ...(method === 'GET' ? [] : [`-X ${method}`]),
    quoted(`${window.location.origin}${API}/${path}`),
    ...(apiKey.value === undefined ? [] : [`-H "Authorization: Bearer $BATCH_API_KEY"`]),
    ...(method === 'POST' ? [`-H 'content-type: application/json'`, `-d ${quoted(JSON.stringify(body ?? {}))}`] : []),
  ].join(' ');
}
