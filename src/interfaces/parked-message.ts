/** A message that the service could not execute, and that waits for a person's decision. */
export interface IParkedMessage {
  /** Created when it was parked. */
  id: string;
  /** The sender's id, if it has one. */
  messageId?: string;
  /** Why it was parked. */
  code: string;
  reason: string;
  /** ISO 8601 in UTC. */
  parkedAt: string;
  /** Its beginning, at most 4 KiB of it. */
  body: string;
  /** `base64` where the body is not UTF-8. */
  bodyEncoding: 'utf-8' | 'base64';
  /** The size of the whole body. */
  bodyBytes: number;
  /** False: `body` is only the beginning. */
  bodyIsComplete: boolean;
}

/** A page of parked messages, the oldest first. It has the first 1000 messages of the queue, or the first 64 MiB. */
export interface IParkedMessages {
  items: IParkedMessage[];
  /** Absent on the last page. */
  nextCursor?: string;
  /** How many messages are parked, also those that are not shown. */
  total: number;
}
