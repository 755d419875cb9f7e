import type { IServiceError } from '../interfaces/error.js';
import { MAX_OPERATIONS_PER_REQUEST } from '../interfaces/rpc.js';
import type { IdentifiedRequest } from './client-errors.js';

// The bytes around the operations in a message: pattern, ids of transport and request.
const ENVELOPE_BYTES = 512;

/** A request as JSON. It is written once, since its size is needed before it is sent. */
export interface WrittenRequest {
  json: string;
  bytes: number;
}

/** What happens to a part of the list: it is sent as one request, or refused because it cannot be sent. */
export type Part = { send: WrittenList } | { refuse: IServiceError };

/** The body of one request with many operations. */
export class WrittenList {
  /** With the bytes around the operations. */
  bytes = ENVELOPE_BYTES;
  private readonly texts: string[] = [];

  get length(): number {
    return this.texts.length;
  }

  get json(): string {
    return `{"operations":[${this.texts.join(',')}]}`;
  }

  add({ json, bytes }: WrittenRequest): void {
    this.texts.push(json);
    this.bytes += bytes;
  }
}

/** Splits a list, in its order, into requests that the service accepts. Each is written when it is asked for. */
export function* splitRequests(requests: readonly IdentifiedRequest[], maxBytes: number): Generator<Part, void> {
  let open = new WrittenList();
  for (const request of requests) {
    const written = write(request, maxBytes);
    const refused = 'code' in written;
    const isFull = open.length === MAX_OPERATIONS_PER_REQUEST || (!refused && open.bytes + written.bytes > maxBytes);
    if (open.length > 0 && (refused || isFull)) {
      yield { send: open };
      open = new WrittenList();
    }
    if (refused) yield { refuse: written };
    else open.add(written);
  }
  if (open.length > 0) yield { send: open };
}

/** A request as JSON, with its bytes in a list, or why it cannot be sent. */
export function write(request: IdentifiedRequest, maxBytes: number): WrittenRequest | IServiceError {
  let json: string;
  try {
    const text = JSON.stringify(request) as string | undefined;
    if (text === undefined) throw new TypeError('its toJSON gives nothing');
    json = text;
  } catch (cause) {
    return {
      status: 'error',
      code: 'INVALID_REQUEST',
      message: `Operation ${request.id} cannot be written as JSON: ${String(cause)}. Send integers beyond 2^53 as strings`,
      details: { id: request.id },
    };
  }
  const bytes = Buffer.byteLength(json) + 1;
  if (bytes + ENVELOPE_BYTES <= maxBytes) return { json, bytes };
  return {
    status: 'error',
    code: 'PAYLOAD_TOO_LARGE',
    message: `Operation ${request.id} has ${bytes} bytes; maxRequestBytes of this client is ${maxBytes}`,
    details: { id: request.id, bytes, maxRequestBytes: maxBytes },
  };
}
