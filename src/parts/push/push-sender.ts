export interface PushMessage {
  /** The registration token of a device's app. */
  token: string;
  title: string;
  body: string;
  /** For the app, beside what is shown. */
  data?: Readonly<Record<string, string>>;
}

/** Sends push messages to devices. It is injected by this class. */
export abstract class PushSender {
  /**
   * Resolves when the server has accepted the message. There is one attempt: the job that sends it is what is tried again.
   *
   * @param signal ends the attempt; the server may have accepted the message nevertheless
   * @returns the name that the server has given to the message
   * @throws PartError PUSH_UNREGISTERED (forget the token), PUSH_INVALID, PUSH_REFUSED, PUSH_LOGIN_REFUSED, TLS_REFUSED, PUSH_BUSY, PUSH_UNAVAILABLE, TIMED_OUT, ABORTED
   */
  abstract send(message: PushMessage, signal?: AbortSignal): Promise<string>;
}
