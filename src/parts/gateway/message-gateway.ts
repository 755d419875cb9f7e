import type { Json } from '../../interfaces/json.js';

export interface GatewayMessage {
  /**
   * Identifies the message: 1 to 200 visible ASCII characters. It is sent as the header Idempotency-Key with each attempt. A job sends the
   * same one whenever it is tried again, for example `${job.type}:${job.targetId}`.
   */
  id: string;
  /** Is sent as JSON. */
  body: Json;
  /** Is added to the path of GATEWAY_URL, such as `sms/send`. Default: nothing. */
  path?: string;
}

export interface GatewayAnswer {
  status: number;
  /** The JSON of the answer; its text when it is no JSON; undefined when it is empty. */
  body: unknown;
}

/** Sends messages through a gateway that speaks HTTP. It is injected by this class. */
export abstract class MessageGateway {
  /**
   * Resolves when the gateway has accepted the message.
   *
   * @param signal ends the attempts; the gateway may have accepted the message nevertheless
   * @throws PartError GATEWAY_INVALID, GATEWAY_REFUSED, GATEWAY_LOGIN_REFUSED, TLS_REFUSED; and, after several attempts, GATEWAY_BUSY,
   *   GATEWAY_UNAVAILABLE, TIMED_OUT; ABORTED
   */
  abstract send(message: GatewayMessage, signal?: AbortSignal): Promise<GatewayAnswer>;
}
