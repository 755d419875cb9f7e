import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import type { SMTPServerOptions } from 'smtp-server';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { isMailAddress, parseMailbox } from '../../../../src/parts/mail/mail-address.js';
import { toSubject } from '../../../../src/parts/mail/mail-sender.js';
import { MailTemplate, MailTemplateError } from '../../../../src/parts/mail/mail-template.js';
import type { MailSettings } from '../../../../src/parts/mail/mail-settings.js';
import { openMailSender } from '../../../../src/parts/mail/open-mail-sender.js';
import { freePort } from '../../../support/free-port.js';
import { startHttpReceiver, type HttpReceiver } from '../../../support/http-receiver.js';
import { startMailServer, type MailServerOptions } from '../../../support/mail-server.js';
import { NO_AWS_KEYS } from '../../../support/parts/no-aws-keys.js';
import { partFailure } from '../../../support/parts/part-failure.js';
import { signatureFault } from '../../../support/parts/signature-v4.js';
import { TestCa } from '../../../support/tls/test-certificates.js';
import { startTlsFront } from '../../../support/tls/tls-servers.js';

const FROM = { name: 'Batch Service', address: 'batch@example.com' };
const DEFAULTS = { subject: '{{title}}', text: '{{title}}\n', html: '<p>{{title}}</p>' };

const smtp = (url: string): MailSettings => ({ from: FROM, templateDir: undefined, transport: { kind: 'smtp', url } });

describe('a mailbox', () => {
  it.each<[text: string, expected: object | undefined]>([
    ['ada@example.com', { name: '', address: 'ada@example.com' }],
    ['Ada Lovelace <ada@example.com>', { name: 'Ada Lovelace', address: 'ada@example.com' }],
    ['<ada@example.com>', { name: '', address: 'ada@example.com' }],
    ['Größe <ada@example.com>', { name: 'Größe', address: 'ada@example.com' }],
    ['Ada', undefined],
    ['Ada <ada>', undefined],
    ['Ada <ada@example.com> <eve@example.com>', undefined],
    ['Ada\r\nBcc: eve@example.com <ada@example.com>', undefined],
    ['"Ada" <ada@example.com>', undefined],
  ])('%j is read as %j', (text, expected) => {
    expect(parseMailbox(text)).toEqual(expected);
  });

  it('is no address with a line break', () => {
    expect(isMailAddress('ada@example.com\r\nBcc: eve@example.com')).toBe(false);
  });
});

describe('a template of mails', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'batch-mail-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  const load = (): Promise<MailTemplate> => MailTemplate.load('alert', DEFAULTS, ['title', 'isTest'], folder);

  it('escapes values in HTML and nowhere else', async () => {
    expect((await load()).render({ title: '<b> & "x"' })).toEqual({
      subject: '<b> & "x"',
      text: '<b> & "x"\n',
      html: '<p>&lt;b&gt; &amp; &quot;x&quot;</p>',
    });
  });

  it('takes each part from the folder, where it is there', async () => {
    await writeFile(join(folder, 'alert.subject.mustache'), '{{#isTest}}Test: {{/isTest}}{{title}}\n');
    expect((await load()).render({ title: 'Lag', isTest: true })).toEqual({
      subject: 'Test: Lag',
      text: 'Lag\n',
      html: '<p>Lag</p>',
    });
  });

  it.each([
    ['another field', '{{titel}}', 'there is no field "titel"; the fields are title, isTest'],
    ['another field within a section', '{{#isTest}}{{titel}}{{/isTest}}', 'there is no field "titel"'],
    ['a value that would not be escaped', '{{{title}}}', '{{{title}}} would not be escaped; write {{title}}'],
    ['another template', '{{> other}}', '{{>other}} is not supported'],
    ['a section without its end', '{{#isTest}}', 'Unclosed section "isTest"'],
  ])('is refused with %s, by the name of its file', async (_claim, text, fault) => {
    await writeFile(join(folder, 'alert.html.mustache'), text);
    const refused = await load().catch((error: unknown) => error as MailTemplateError);
    expect(refused).toBeInstanceOf(MailTemplateError);
    expect((refused as MailTemplateError).message).toContain(`${join(folder, 'alert.html.mustache')}: ${fault}`);
  });
});

describe('a mail through a real SMTP server', () => {
  it('arrives with text, HTML and its id', async () => {
    const server = await startMailServer();
    const sender = await openMailSender(smtp(`smtp://127.0.0.1:${server.port}`));
    const mail = { to: ['ada@example.com'], subject: 'Größe', text: 'plain', html: '<p>rich</p>', id: 'alert-1' };
    expect(await sender.send(mail)).toEqual([]);
    await server.close();
    const [received] = server.mails;
    expect(received).toMatchObject({ from: 'batch@example.com', to: ['ada@example.com'], subject: 'Größe' });
    expect(received!.raw).toContain('From: Batch Service <batch@example.com>');
    expect(received!.raw).toContain('Message-ID: <alert-1@example.com>');
    expect(received!.raw).toMatch(/plain[^]*<p>rich<\/p>/);
  });

  it('keeps its headers and recipients, whatever the subject contains', async () => {
    const server = await startMailServer();
    const sender = await openMailSender(smtp(`smtp://127.0.0.1:${server.port}`));
    const subject = 'Lag\r\nBcc: eve@example.com\r\n\r\nbody\u2028X-More: 1\u0000';
    await sender.send({ to: ['ada@example.com'], subject, text: 'plain' });
    await server.close();
    const [received] = server.mails;
    expect(received).toMatchObject({ to: ['ada@example.com'], subject: 'Lag Bcc: eve@example.com body X-More: 1' });
    expect(received!.raw).not.toMatch(/^(Bcc|X-More):/im);
  });

  it('names the recipients that the server refuses, when it takes others', async () => {
    const server = await startMailServer({
      onRcptTo: ({ address }, _session, done) =>
        done(address.startsWith('eve') ? Object.assign(new Error('no such user'), { responseCode: 550 }) : null),
    });
    const sender = await openMailSender(smtp(`smtp://127.0.0.1:${server.port}`));
    const mail = { subject: 's', text: 't' };
    expect(await sender.send({ ...mail, to: ['ada@example.com', 'eve@example.com'] })).toEqual(['eve@example.com']);
    await expect(sender.send({ ...mail, to: ['eve@example.com'] })).rejects.toThrow('no such user');
    await server.close();
  });

  it('logs in with user and password', async () => {
    const server = await startMailServer({
      disabledCommands: ['STARTTLS'],
      allowInsecureAuth: true,
      onAuth: ({ username, password }, _session, done) =>
        password === 'p@ss' ? done(null, { user: username }) : done(new Error('wrong password')),
    });
    const send = async (login: string): Promise<string[]> =>
      (await openMailSender(smtp(`smtp://${login}@127.0.0.1:${server.port}`))).send({
        to: ['ada@example.com'],
        subject: 's',
        text: 't',
      });
    await send('batch:p%40ss');
    expect(server.mails[0]).toMatchObject({ user: 'batch' });
    const refused = { code: 'MAIL_LOGIN_REFUSED', message: expect.stringContaining('wrong password') };
    await expect(send('batch:other')).rejects.toMatchObject(refused);
    await server.close();
  });

  it('tells a server that wants a login from one that refuses the mail', async () => {
    const server = await startMailServer({ disabledCommands: ['STARTTLS'], allowInsecureAuth: true });
    const sender = await openMailSender(smtp(`smtp://127.0.0.1:${server.port}`));
    const sending = sender.send({ to: ['ada@example.com'], subject: 's', text: 't' });
    await expect(sending).rejects.toMatchObject({ code: 'MAIL_LOGIN_REFUSED', status: 530 });
    await server.close();
  });

  it('gives up when it is told to', async () => {
    const server = await startMailServer({ onMailFrom: () => undefined });
    const sender = await openMailSender(smtp(`smtp://127.0.0.1:${server.port}`));
    const sending = sender.send({ to: ['ada@example.com'], subject: 's', text: 't' }, AbortSignal.timeout(200));
    await expect(sending).rejects.toMatchObject({ code: 'ABORTED', retryable: true });
    await server.close();
  });
});

describe('a mail that a real SMTP server does not take', () => {
  const PASSWORD = 'smtp-secret-word';
  const mail = { to: ['ada@example.com'], subject: 's', text: 't' };
  const sendTo = async (port: number, login = ''): Promise<string[]> => {
    const sender = await openMailSender(smtp(`smtp://${login}127.0.0.1:${port}`));
    return sender.send(mail).finally(() => sender.close());
  };
  const answered = (responseCode: number): Error => Object.assign(new Error('the reason'), { responseCode });
  /** Bodies that a server got. */
  let bodies = 0;
  beforeEach(() => {
    bodies = 0;
  });
  const AT: Readonly<Record<string, (code: number) => MailServerOptions>> = {
    'the greeting': (code) => ({ onConnect: (_session, done) => done(answered(code)) }),
    'MAIL FROM': (code) => ({ onMailFrom: (_address, _session, done) => done(answered(code)) }),
    'RCPT TO': (code) => ({ onRcptTo: (_address, _session, done) => done(answered(code)) }),
    'the body': (code) => ({ onMail: () => ((bodies += 1), answered(code)) }),
  };

  it.each([
    ['the greeting', 421, 'MAIL_DEFERRED', true],
    ['the greeting', 554, 'MAIL_REFUSED', false],
    ['MAIL FROM', 451, 'MAIL_DEFERRED', true],
    ['MAIL FROM', 550, 'MAIL_REFUSED', false],
    ['RCPT TO', 450, 'MAIL_DEFERRED', true],
    ['RCPT TO', 550, 'MAIL_REFUSED', false],
    ['the body', 421, 'MAIL_DEFERRED', true],
    ['the body', 451, 'MAIL_DEFERRED', true],
    ['the body', 452, 'MAIL_DEFERRED', true],
    ['the body', 552, 'MAIL_REFUSED', false],
    ['the body', 554, 'MAIL_REFUSED', false],
  ])('is told so after an answer to %s of %i: %s', async (command, status, code, retryable) => {
    const server = await startMailServer(AT[command]!(status));
    const failed = await partFailure(sendTo(server.port));
    await server.close();
    expect(failed).toMatchObject({ code, retryable, status, message: expect.stringContaining(`${status} the reason`) });
    expect([server.mails, bodies]).toEqual([[], command === 'the body' ? 1 : 0]);
  });

  it.each([
    [535, 'MAIL_LOGIN_REFUSED', false],
    [454, 'MAIL_DEFERRED', true],
  ])('is told so after a login that is answered with %i, without the password: %s', async (status, code, retryable) => {
    const server = await startMailServer({
      ...{ disabledCommands: ['STARTTLS'], allowInsecureAuth: true },
      onAuth: (_login, _session, done) => done(answered(status)),
    });
    const failed = await partFailure(sendTo(server.port, `batch:${PASSWORD}@`));
    await server.close();
    expect(failed).toMatchObject({ code, retryable, status });
    if (!retryable) expect(failed.message).toContain('check the user and the password of SMTP_URL');
    const shown = inspect(failed, { depth: Infinity, showHidden: true });
    expect(shown).not.toContain(PASSWORD);
    expect(shown).not.toContain(Buffer.from(`\u0000batch\u0000${PASSWORD}`).toString('base64'));
  });

  it('may have been taken when the connection ends after the body: it is sent once, and the caller decides', async () => {
    const server = await startMailServer({ onMail: () => 'cut' });
    const failed = await partFailure(sendTo(server.port));
    await server.close();
    expect(failed).toMatchObject({ code: 'MAIL_UNAVAILABLE', retryable: true });
    expect(server.mails).toHaveLength(1);
  });

  it('is told so when nothing listens: it may be sent later', async () => {
    expect(await partFailure(sendTo(await freePort()))).toMatchObject({ code: 'MAIL_UNAVAILABLE', retryable: true });
  });
});

describe('a mail server with which TLS fails', () => {
  let ca: TestCa;
  let tls: SMTPServerOptions;
  beforeAll(async () => {
    ca = await TestCa.make();
    const { cert, key } = await ca.issue('server');
    tls = { cert: await readFile(cert), key: await readFile(key), disabledCommands: ['AUTH'] };
  });
  afterAll(() => ca?.remove());

  const UNTRUSTED = 'shows a certificate that no trusted CA has signed';
  const CURE = 'in NODE_EXTRA_CA_CERTS';
  // The address is that of this machine, and does not look so: the password must not go there without TLS.
  const ELSEWHERE = 'batch:smtp-secret-word@[::ffff:127.0.0.1]';

  it.each<[claim: string, scheme: string, host: string, options: () => SMTPServerOptions, told: string[]]>([
    ['by smtps://', 'smtps', 'localhost', () => ({ ...tls, secure: true }), [UNTRUSTED, CURE]],
    ['after STARTTLS', 'smtp', 'localhost', () => tls, [UNTRUSTED, CURE]],
    ['without TLS', 'smtps', 'localhost', () => ({}), ['does not speak TLS there', 'correct SMTP_URL']],
    ['without STARTTLS', 'smtp', ELSEWHERE, () => ({}), ['does not speak TLS there', 'correct SMTP_URL']],
  ])('is named, with the cause and the cure: %s', async (_claim, scheme, host, options, told) => {
    const server = await startMailServer(options());
    const sender = await openMailSender(smtp(`${scheme}://${host}:${server.port}`));
    const failed = await partFailure(sender.send({ to: ['ada@example.com'], subject: 's', text: 't' }));
    sender.close();
    await server.close();
    expect(failed).toMatchObject({ code: 'TLS_REFUSED', retryable: false });
    const place = host === ELSEWHERE ? '[::ffff:7f00:1]' : host;
    for (const part of [`the mail server ${place}:${server.port}`, ...told]) expect(failed.message).toContain(part);
    expect(inspect(failed, { depth: Infinity, showHidden: true })).not.toContain('smtp-secret-word');
    expect(server.mails).toEqual([]);
  });

  it('is named too when it is Amazon SES', async () => {
    const receiver = await startHttpReceiver();
    const front = await startTlsFront(await ca.issue('server'), { port: Number(new URL(receiver.url).port) });
    vi.stubEnv('AWS_ENDPOINT_URL_SESV2', `https://localhost:${front.port}`);
    for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']) vi.stubEnv(name, 'any');
    const transport = { kind: 'ses', region: 'eu-central-1' } as const;
    const sender = await openMailSender({ from: FROM, templateDir: undefined, transport });
    const failed = await partFailure(sender.send({ to: ['ada@example.com'], subject: 's', text: 't' }));
    sender.close();
    vi.unstubAllEnvs();
    await front.stop();
    await receiver.close();
    expect(failed).toMatchObject({ code: 'TLS_REFUSED', retryable: false });
    expect(failed.message).toContain(`Amazon SES in eu-central-1 ${UNTRUSTED}`);
  });
});

describe('a mail through the API of Amazon SES', () => {
  const sendBySes = async (answer: HttpReceiver, keys: Readonly<Record<string, string>>): Promise<string[]> => {
    vi.stubEnv('AWS_ENDPOINT_URL_SESV2', answer.url);
    for (const [name, value] of Object.entries(keys)) vi.stubEnv(name, value);
    try {
      const transport = { kind: 'ses', region: 'eu-central-1' } as const;
      const sender = await openMailSender({ from: FROM, templateDir: undefined, transport });
      return await sender
        .send({ to: ['ada@example.com'], subject: 'Lag', text: 'plain' })
        .finally(() => sender.close());
    } finally {
      vi.unstubAllEnvs();
      await answer.close();
    }
  };
  const CREDENTIALS = '; check the credentials of AWS: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY';
  const KEYS = { AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE', AWS_SECRET_ACCESS_KEY: 'secret' };

  it('is one signed request with the mail', async () => {
    const receiver = await startHttpReceiver('{"MessageId":"1"}');
    expect(await sendBySes(receiver, KEYS)).toEqual([]);
    const [request] = receiver.requests as [(typeof receiver.requests)[number]];
    const { method, path, headers, body } = request;
    expect([method, path]).toEqual(['POST', '/v2/email/outbound-emails']);
    const key = { accessKeyId: KEYS.AWS_ACCESS_KEY_ID, secret: KEYS.AWS_SECRET_ACCESS_KEY, service: 'ses' };
    expect(signatureFault({ ...request, body: Buffer.from(body) }, key)).toBeUndefined();
    expect(headers.authorization).toContain('/eu-central-1/ses/aws4_request');
    const { Content, Destination } = JSON.parse(body) as { Content: { Raw: { Data: string } }; Destination: unknown };
    expect(Destination).toEqual({ ToAddresses: ['ada@example.com'] });
    expect(Buffer.from(Content.Raw.Data, 'base64').toString()).toContain('Subject: Lag');
  });

  it.each([
    ['the key is unknown', 403, 'UnrecognizedClientException', 'MAIL_LOGIN_REFUSED', CREDENTIALS],
    ['the key is unknown to STS', 403, 'InvalidClientTokenId', 'MAIL_LOGIN_REFUSED', CREDENTIALS],
    ['the signature is wrong', 403, 'SignatureDoesNotMatch', 'MAIL_LOGIN_REFUSED', CREDENTIALS],
    ['the keys have expired', 400, 'ExpiredTokenException', 'MAIL_LOGIN_REFUSED', CREDENTIALS],
    ['a right is missing', 403, 'AccessDeniedException', 'MAIL_LOGIN_REFUSED', '; check the rights of the credentials'],
    ['the mail is refused', 400, 'MessageRejected', 'MAIL_REFUSED', ''],
    ['there are too many', 429, 'TooManyRequestsException', 'MAIL_DEFERRED', ''],
  ])('fails by its own code when %s, after one request', async (_claim, status, name, code, cure) => {
    const receiver = await startHttpReceiver(JSON.stringify({ __type: name, message: 'No.' }));
    receiver.answer(status);
    const message = expect.stringContaining(`${name}: No.${cure}`);
    await expect(sendBySes(receiver, KEYS)).rejects.toMatchObject({ code, status, message });
    expect(receiver.requests).toHaveLength(1);
  });

  it('has no login where there are no keys', async () => {
    const receiver = await startHttpReceiver();
    await expect(sendBySes(receiver, NO_AWS_KEYS)).rejects.toMatchObject({
      code: 'MAIL_LOGIN_REFUSED',
      message: expect.stringContaining(CREDENTIALS),
    });
    expect(receiver.requests).toEqual([]);
  });
});

describe('a subject', () => {
  it('is one line of at most 200 characters', () => {
    expect(toSubject(`a\n\tb\u2029c\u0007${'😀'.repeat(300)}`)).toBe(`a b c ${'😀'.repeat(194)}`);
  });
});
