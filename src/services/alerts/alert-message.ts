import type { AlertChannelName, AlertEvent, AlertRule } from '../../interfaces/alert.js';

/** What is sent to a channel. */
export interface AlertMessage {
  /** The same for each try, so that a receiver notices a message that it has already got. */
  id: string;
  /** The name of the installation. */
  name: string;
  event: AlertEvent | 'test';
  rule: AlertRule | 'test';
  /** Empty: the whole service, or several subjects. */
  subject: string;
  /** Of every alert of which it tells. */
  subjects: readonly string[];
  title: string;
  text: string;
  /** When the alert began. */
  firstAt: Date;
  /** When this message was made. */
  at: Date;
}

/** Where alerts are sent. It tries once: the caller tries again. */
export interface AlertChannel {
  readonly name: AlertChannelName;
  /** For people: where the messages go. It has no secrets. */
  readonly place: string;
  /**
   * Resolves when the other side has accepted the message.
   *
   * @throws Error with the reason
   */
  send(message: AlertMessage, signal: AbortSignal): Promise<void>;
  close(): void;
}

const EVENT_WORDS = {
  firing: 'Alert',
  repeated: 'Alert goes on',
  resolved: 'Over',
  test: 'Test',
} as const satisfies Record<AlertMessage['event'], string>;

/** One line: `[Batch Service] Alert: No worker was seen`. */
export function headline({ name, event, title }: Pick<AlertMessage, 'name' | 'event' | 'title'>): string {
  return `[${name}] ${EVENT_WORDS[event]}: ${title}`;
}

export function testMessage(name: string, id: string, at: Date): AlertMessage {
  return {
    ...{ id, name, at, firstAt: at, event: 'test', rule: 'test', subject: '', subjects: [''] },
    title: 'Messages arrive here',
    text: 'This is a test by `npm run alerts -- test`. Nothing is wrong.',
  };
}
