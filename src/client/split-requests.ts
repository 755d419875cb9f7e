import type { IServiceError } from '../interfaces/error.js';
import { MAX_OPERATIONS_PER_REQUEST } from '../interfaces/rpc.js';
import type { IdentifiedRequest } from './client-errors.js';

/** What happens to a part of the list: it is sent as one request, or refused because it cannot be sent. */
export type Part = { send: IdentifiedRequest[] } | { refuse: IServiceError };

// The bytes around the operations in a message: pattern, ids of transport and request.
const ENVELOPE_BYTES = 512;

/** Splits a list, in its order, into requests that the service accepts. */
export function splitRequests(requests: readonly IdentifiedRequest[], maxBytes: number): Part[] {
  const parts: Part[] = [];
  let open: IdentifiedRequest[] | undefined;
  let openBytes = 0;
  for (const request of requests) {
    const bytes = measure(request, maxBytes);
    if (typeof bytes !== 'number') {
      parts.push({ refuse: bytes });
      open = undefined;
      continue;
    }
    if (!open || open.length === MAX_OPERATIONS_PER_REQUEST || openBytes + bytes > maxBytes) {
      open = [];
      openBytes = ENVELOPE_BYTES;
      parts.push({ send: open });
    }
    open.push(request);
    openBytes += bytes;
  }
  return parts;
}

/** The bytes of a request in a list, or why it cannot be sent. */
export function measure(request: IdentifiedRequest, maxBytes: number): number | IServiceError {
  let bytes: number;
  try {
    bytes = Buffer.byteLength(JSON.stringify(request)) + 1;
  } catch (cause) {
    return {
      status: 'error',
      code: 'INVALID_REQUEST',
      message: `Operation ${request.id} cannot be written as JSON: ${String(cause)}. Send integers beyond 2^53 as strings`,
      details: { id: request.id },
    };
  }
  if (bytes + ENVELOPE_BYTES <= maxBytes) return bytes;
  return {
    status: 'error',
    code: 'PAYLOAD_TOO_LARGE',
    message: `Operation ${request.id} has ${bytes} bytes; maxRequestBytes of this client is ${maxBytes}`,
    details: { id: request.id, bytes, maxRequestBytes: maxBytes },
  };
}
