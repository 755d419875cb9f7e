import type { Mailbox } from './mail-address.js';

/** How mails are sent. */
export interface MailSettings {
  /** The sender of each mail. */
  from: Mailbox;
  /** The folder of templates that replace the built-in ones. */
  templateDir: string | undefined;
  /** An `smtp:` or `smtps:` URL, which may hold user and password; or the region of Amazon SES. */
  transport: { kind: 'smtp'; url: string } | { kind: 'ses'; region: string };
}
