import type { MessageEvent } from '@nestjs/common';
import type { Request } from 'express';
import { endWith, exhaustMap, merge, takeWhile, timer, type Observable } from 'rxjs';
import type { AccessService } from '../../services/access/access.service.js';
import { ServiceError } from '../../services/errors/service-error.js';
import { apiKeyOf } from './admit-callers.js';

const HEARTBEAT_MS = 5000;

/**
 * The events, and a comment every five seconds, so that the caller sees that the connection lives. At each comment, the
 * key of the caller is checked again. The stream ends when the events end, or when the key is no longer valid.
 */
export function toEventStream(
  events: Observable<MessageEvent>,
  request: Request,
  access: AccessService,
): Observable<MessageEvent> {
  // Otherwise the caller keeps the connection for its next request, and a service that stops waits for that.
  request.res?.once('finish', () => request.socket.end());
  const heartbeats = timer(HEARTBEAT_MS, HEARTBEAT_MS).pipe(exhaustMap(() => heartbeat(request, access)));
  return merge(events.pipe(endWith(END)), heartbeats).pipe(takeWhile((event) => event !== END));
}

const END: MessageEvent = { data: '' };

async function heartbeat(request: Request, access: AccessService): Promise<MessageEvent> {
  try {
    await access.authenticate(apiKeyOf(request));
  } catch (error) {
    // While the database does not answer, nobody's key was refused.
    if (error instanceof ServiceError) return END;
  }
  return { comment: 'alive' };
}
