import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';

export interface ReceivedMail {
  from: string;
  /** Of the envelope: who really gets it. */
  to: string[];
  /** Headers and body as they came. */
  raw: string;
  /** The subject, decoded. */
  subject: string;
  user: string | undefined;
}

export interface MailServer {
  port: number;
  mails: ReceivedMail[];
  close(): Promise<void>;
}

export interface MailServerOptions extends SMTPServerOptions {
  /** What it answers after the body: an error with `responseCode`; or nothing, and it ends the connection. Default: it takes the mail. */
  onMail?: (mail: ReceivedMail) => Error | 'cut' | undefined;
}

/** A real SMTP server on 127.0.0.1 that keeps what it takes. Default: without TLS and passwords, on a free port. */
export async function startMailServer({ onMail, ...options }: MailServerOptions = {}, port = 0): Promise<MailServer> {
  const mails: ReceivedMail[] = [];
  const server = new SMTPServer({
    disabledCommands: ['STARTTLS', 'AUTH'],
    // It ends connections that its clients have left open.
    closeTimeout: 100,
    ...options,
    onData(stream, session, done) {
      const parts: Buffer[] = [];
      stream.on('data', (part: Buffer) => parts.push(part));
      stream.on('end', () => {
        const raw = Buffer.concat(parts).toString();
        const { mailFrom, rcptTo } = session.envelope;
        const mail = {
          from: mailFrom === false ? '' : mailFrom.address,
          to: rcptTo.map(({ address }) => address),
          raw,
          subject: subjectOf(raw),
          user: session.user,
        };
        const answer = onMail?.(mail);
        if (answer instanceof Error) return done(answer);
        mails.push(mail);
        if (answer === undefined) return done();
        for (const connection of server.connections) connection.close();
      });
    },
  });
  // A client that gives up a connection is no failure of the test.
  server.on('error', () => undefined);
  server.listen(port, '127.0.0.1');
  await once(server.server, 'listening');
  return {
    port: (server.server.address() as AddressInfo).port,
    mails,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

/** Unfolds it, and decodes encoded words of UTF-8. */
function subjectOf(raw: string): string {
  const [, folded = ''] = /^Subject: (.*(?:\r\n[ \t].*)*)/m.exec(raw) ?? [];
  return folded
    .replace(/\r\n[ \t]/g, ' ')
    .replace(/\?= =\?/g, '?==?')
    .replace(/=\?UTF-8\?([BQ])\?(.*?)\?=/gi, (_, kind: string, text: string) =>
      kind.toUpperCase() === 'B' ? Buffer.from(text, 'base64').toString() : decodeQ(text),
    );
}

const decodeQ = (text: string): string =>
  Buffer.from(
    text.replaceAll('_', ' ').replace(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16))),
    'latin1',
  ).toString();
