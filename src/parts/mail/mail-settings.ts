import type { Mailbox } from './mail-address.js';

/** How mails are sent. */
export interface MailSettings {
  /** The sender of each mail. */
  from: Mailbox;
  /** The folder of templates that replace the built-in ones. */
  templateDir: string | undefined;
  transport: SmtpTransport | SesTransport;
}

export interface SmtpTransport {
  kind: 'smtp';
  /** An `smtp:` or `smtps:` URL, which may hold user and password. */
  url: string;
}

/** The API of Amazon SES. */
export interface SesTransport {
  kind: 'ses';
  region: string;
}
