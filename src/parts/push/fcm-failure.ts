import { z } from 'zod';
import { readJson } from '../http/token-answer.js';
import type { HttpAnswer } from '../http/http-call.js';
import { PartError, type PartErrorCode } from '../part-error.js';

const SHOWN_ANSWER = 200;
/** What FCM asks for when it limits a sender without the header Retry-After. */
const BUSY_MS = 60_000;

const FCM_ERROR = 'type.googleapis.com/google.firebase.fcm.v1.FcmError';

const answerSchema = z.object({
  error: z.object({
    message: z.string().default(''),
    status: z.string().default(''),
    details: z.array(z.object({ '@type': z.string().optional(), errorCode: z.string().optional() })).default([]),
  }),
});

/** What the codes of FCM mean for a sender: https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode */
const CODES: ReadonlyMap<string, PartErrorCode> = new Map([
  ['UNREGISTERED', 'PUSH_UNREGISTERED'],
  ['INVALID_ARGUMENT', 'PUSH_INVALID'],
  ['SENDER_ID_MISMATCH', 'PUSH_REFUSED'],
  // The certificate of Apple or the key of web push that the project has is wrong or missing.
  ['THIRD_PARTY_AUTH_ERROR', 'PUSH_LOGIN_REFUSED'],
  ['QUOTA_EXCEEDED', 'PUSH_BUSY'],
  ['UNAVAILABLE', 'PUSH_UNAVAILABLE'],
  ['INTERNAL', 'PUSH_UNAVAILABLE'],
]);

/** The code of FCM in an answer. Undefined: it has none, for example because another server has answered. */
export function fcmCodeOf(text: string): string | undefined {
  const { data } = answerSchema.safeParse(readJson(text));
  return data?.error.details.find((detail) => detail['@type'] === FCM_ERROR)?.errorCode;
}

/**
 * The error for an answer that is no success.
 *
 * @param text the body, without secrets
 */
export function toFcmFailure({ status, text, retryAfterMs }: HttpAnswer): PartError {
  const { data } = answerSchema.safeParse(readJson(text));
  const name = fcmCodeOf(text) ?? data?.error.status ?? '';
  const code = CODES.get(name) ?? codeOfStatus(status);
  const told =
    data === undefined ? text.slice(0, SHOWN_ANSWER) : `${name}: ${data.error.message.slice(0, SHOWN_ANSWER)}`;
  return new PartError(code, `FCM has answered with status ${status}: ${told}`, {
    status,
    retryAfterMs: retryAfterMs ?? (code === 'PUSH_BUSY' ? BUSY_MS : undefined),
  });
}

/** A 404 without a code may be a wrong address or project. That is no reason to forget the token of a device. */
function codeOfStatus(status: number): PartErrorCode {
  if (status === 429) return 'PUSH_BUSY';
  if (status >= 500) return 'PUSH_UNAVAILABLE';
  if (status === 401 || status === 403) return 'PUSH_LOGIN_REFUSED';
  return status === 400 ? 'PUSH_INVALID' : 'PUSH_REFUSED';
}
