import type { IParkedMessage } from '../../interfaces/parked-message.js';
import { redactSecrets } from '../../interfaces/redact-secrets.js';
import type { ParkedMessage } from './parked-messages.js';

const SHOWN_BYTES = 4096;
/** More than is shown, because a secret is recognised only if it is complete. */
const READ_BYTES = 2 * SHOWN_BYTES;

/** What callers see of a parked message: a bounded part of its body, without secrets that are recognised as such. */
export function showParked({ id, messageId, code, reason, parkedAt, body }: ParkedMessage): IParkedMessage {
  const text = readText(body.subarray(0, READ_BYTES));
  return {
    id,
    ...(messageId !== undefined && { messageId: redactSecrets(messageId) }),
    code,
    reason: redactSecrets(reason),
    parkedAt,
    body: text === undefined ? body.toString('base64', 0, SHOWN_BYTES) : cutBytes(redactSecrets(text), SHOWN_BYTES),
    bodyEncoding: text === undefined ? 'base64' : 'utf-8',
    bodyBytes: body.length,
    bodyIsComplete: body.length <= SHOWN_BYTES,
  };
}

/** Undefined: it is not UTF-8. A character that the end cuts is left out. */
function readText(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes, { stream: true });
  } catch {
    return undefined;
  }
}

function cutBytes(text: string, most: number): string {
  return readText(Buffer.from(text).subarray(0, most)) ?? '';
}
