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

/** Splits a list, in its order, into requests that the service accepts. */
export function splitRequests(requests: readonly IdentifiedRequest[], maxBytes: number): Part[] {
  const parts: Part[] = [];
  let open: WrittenList | undefined;
  for (const request of requests) {
    const written = write(request, maxBytes);
    if ('code' in written) {
      parts.push({ refuse: written });
      open = undefined;
      continue;
    }
    if (!open || open.length === MAX_OPERATIONS_PER_REQUEST || open.bytes + written.bytes > maxBytes) {
      open = new WrittenList();
      parts.push({ send: open });
    }
    open.add(written);
  }
  return parts;
}

/** A request as JSON, with its bytes in a list, or why it cannot be sent. */
export function write(request: IdentifiedRequest, maxBytes: number): WrittenRequest | IServiceError {
  let json: string;
  try {
    json = JSON.stringify(request);
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
