import { isLoopback } from '../../interfaces/loopback.js';
import { optionalPackage } from '../optional-package.js';
import { toMailFailure } from './mail-failure.js';
import { toSubject, type Mail, type MailSender } from './mail-sender.js';
import type { MailSettings, SesTransport, SmtpTransport } from './mail-settings.js';

// nodemailer is loaded when it is needed: most processes send no mail.

/** Of each wait for the server: the connection, its greeting, an answer. */
const TIMEOUT_MS = 10_000;
const SMTP_PORT = 587;
const SMTPS_PORT = 465;

/**
 * Opens the way that the settings name: SMTP, or the API of Amazon SES. No connection is made before the first mail.
 *
 * @throws PartError PACKAGE_MISSING when SES is configured and its package is not installed
 */
export async function openMailSender({ from, transport }: MailSettings): Promise<MailSender> {
  switch (transport.kind) {
    case 'smtp':
      return openSmtp(from, transport);
    case 'ses':
      return openSes(from, transport);
    default:
      return transport satisfies never;
  }
}

async function openSmtp(from: MailSettings['from'], smtp: SmtpTransport): Promise<MailSender> {
  const { createTransport } = await import('nodemailer');
  const transport = createTransport({ ...smtpOptions(new URL(smtp.url)), ...WITHOUT_FILES });
  return {
    send: async (mail, signal) => {
      const sent = transport.sendMail({ ...toMessage(from, mail), signal });
      const { rejected } = (await sent.catch((error: unknown) => {
        throw toMailFailure(error, smtp, signal);
      })) as { rejected: string[] };
      return rejected;
    },
    close: () => transport.close(),
  };
}

/** A password is sent to another machine only in an encrypted connection, even where the server does not ask for one. */
function smtpOptions({ protocol, hostname, port, username, password }: URL) {
  const secure = protocol === 'smtps:';
  const user = decodeURIComponent(username);
  return {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? (secure ? SMTPS_PORT : SMTP_PORT) : Number(port),
    secure,
    requireTLS: !secure && user !== '' && !isLoopback(hostname),
    ...(user !== '' && { auth: { user, pass: decodeURIComponent(password) } }),
    connectionTimeout: TIMEOUT_MS,
    greetingTimeout: TIMEOUT_MS,
    socketTimeout: TIMEOUT_MS,
    dnsTimeout: TIMEOUT_MS,
  };
}

/** The credentials are found as AWS' own programs find them: the environment, a file, the role of the machine. */
async function openSes(from: MailSettings['from'], ses: SesTransport): Promise<MailSender> {
  const { SESv2Client, SendEmailCommand } = await optionalPackage(
    '@aws-sdk/client-sesv2',
    'SES_REGION',
    () => import('@aws-sdk/client-sesv2'),
  );
  const { createTransport } = await import('nodemailer');
  const sesClient = new SESv2Client({
    region: ses.region,
    maxAttempts: 1,
    requestHandler: { requestTimeout: TIMEOUT_MS },
  });
  const transport = createTransport({ SES: { sesClient, SendEmailCommand }, ...WITHOUT_FILES });
  return {
    // SES takes a mail for all of its recipients, or for none.
    send: async (mail, signal) => {
      await transport.sendMail({ ...toMessage(from, mail), signal }).catch((error: unknown) => {
        throw toMailFailure(error, ses, signal);
      });
      return [];
    },
    close: () => sesClient.destroy(),
  };
}

/** No value of a mail can make nodemailer read a file or fetch an address. */
const WITHOUT_FILES = { disableFileAccess: true, disableUrlAccess: true } as const;

function toMessage(from: MailSettings['from'], { to, subject, text, html, id }: Mail) {
  return {
    from,
    to: to.map((address) => ({ name: '', address })),
    subject: toSubject(subject),
    text,
    ...(html !== undefined && { html }),
    ...(id !== undefined && { messageId: `<${id}@${from.address.split('@').at(-1)}>` }),
    // A machine that answers mails must not answer this one, see RFC 3834.
    headers: { 'Auto-Submitted': 'auto-generated' },
  };
}
