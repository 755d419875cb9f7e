/** An e-mail. Its sender is that of the settings. */
export interface Mail {
  to: readonly string[];
  subject: string;
  text: string;
  html?: string;
  /** Identifies the mail: programs for mail show a second copy only once. Without it, each copy has its own. */
  id?: string;
}

/** Sends mails, through whatever server the settings name. It is injected by this class. */
export abstract class MailSender {
  /**
   * Resolves when the server has accepted the mail for a recipient at least. To send it again would send it to these twice.
   *
   * @param signal ends the attempt; the server may have accepted the mail nevertheless
   * @returns the addresses that the server refuses
   * @throws PartError when the server takes it for nobody: MAIL_REFUSED, MAIL_DEFERRED, MAIL_LOGIN_REFUSED, MAIL_UNAVAILABLE,
   *   MAIL_INVALID, TLS_REFUSED, ABORTED
   */
  abstract send(mail: Mail, signal?: AbortSignal): Promise<string[]>;
  /** Ends its connections. */
  abstract close(): void;
}

/** The longest subject that mail programs show is far shorter. */
const LONGEST_SUBJECT = 200;

/**
 * A subject is one line: a line break in a value must not begin a header of its own. Everything that breaks lines or is not shown becomes
 * a space.
 */
export function toSubject(text: string): string {
  const line = text.replace(/[\s\p{C}\p{Zl}\p{Zp}]+/gu, ' ').trim();
  return [...line].slice(0, LONGEST_SUBJECT).join('');
}
