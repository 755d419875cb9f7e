import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Injectable } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { describe, expect, it } from 'vitest';
import {
  FileStore,
  MailSender,
  MailTemplates,
  MessageGateway,
  Parts,
  PartsModule,
  PushSender,
} from '../../../../src/parts/index.js';
import { startMailServer } from '../../../support/mail-server.js';
import { partFailure } from '../../../support/parts/part-failure.js';

@Injectable()
class Receipts {
  constructor(
    readonly mail: MailSender,
    readonly templates: MailTemplates,
  ) {}
}

const boot = (environment: NodeJS.ProcessEnv, providers: never[] | [typeof Receipts] = []) =>
  Test.createTestingModule({ imports: [PartsModule.forRoot(environment)], providers }).compile();

describe('parts in an application', () => {
  it('send a mail with a template of MAIL_TEMPLATE_DIR through a real SMTP server', async () => {
    const server = await startMailServer();
    const folder = await mkdtemp(join(tmpdir(), 'batch-parts-'));
    await writeFile(join(folder, 'receipt.text.mustache'), 'Dear {{name}}, it is paid.\n');
    const environment = {
      SMTP_URL: `smtp://127.0.0.1:${server.port}`,
      MAIL_FROM: 'shop@example.com',
      MAIL_TEMPLATE_DIR: folder,
    };
    const app = await (await boot(environment, [Receipts])).init();
    const { mail, templates } = app.get(Receipts);
    const defaults = { subject: 'Receipt', text: 'unused', html: '<p>{{name}}</p>' };
    const template = await templates.load('receipt', ['name'], defaults);
    await mail.send({ to: ['ada@example.com'], ...template.render({ name: '<Ada>' }) });
    await app.close();
    await server.close();
    await rm(folder, { recursive: true });
    expect(server.mails).toMatchObject([{ to: ['ada@example.com'], subject: 'Receipt' }]);
    expect(server.mails[0]!.raw).toMatch(/Dear <Ada>, it is paid\.[^]*<p>&lt;Ada&gt;<\/p>/);
  });

  it('are not there when nothing configures them, and nobody need have them', async () => {
    const { mail, mailTemplates, files, push, gateway } = (await boot({})).get(Parts);
    expect([mail, mailTemplates, files, push, gateway]).toEqual(Array(5).fill(undefined));
  });

  it.each([
    [MailSender, 'MailSender is injected, and it is not configured: set SMTP_URL or SES_REGION, and MAIL_FROM'],
    [MailTemplates, 'MailTemplates is injected, and it is not configured: set SMTP_URL or SES_REGION, and MAIL_FROM'],
    [FileStore, 'FileStore is injected, and it is not configured: set FILES_URL'],
    [PushSender, 'PushSender is injected, and it is not configured: set PUSH_SERVICE_ACCOUNT'],
    [
      MessageGateway,
      'MessageGateway is injected, and it is not configured: ' +
        'set GATEWAY_URL, GATEWAY_TOKEN_URL, GATEWAY_CLIENT_ID and GATEWAY_CLIENT_SECRET',
    ],
  ])('that are injected without being configured fail the boot with the variable: %s', async (token, message) => {
    const user = { provide: 'user', inject: [token], useFactory: (part: unknown) => part };
    const booted = Test.createTestingModule({ imports: [PartsModule.forRoot({})], providers: [user] }).compile();
    expect(await partFailure(booted)).toMatchObject({ code: 'PART_NOT_CONFIGURED', message });
  });

  it('tell all faults of their variables at once, and no secret', async () => {
    const failed = await partFailure(
      boot({
        SMTP_URL: 'smtp://user:mail-secret@host/path',
        FILES_URL: 'ftp://user:file-secret@files.example.com/',
        FILES_TIMEOUT_SECONDS: '0',
        PUSH_SERVICE_ACCOUNT: '{ "type": "service_account", "private_key": "push-secret" }',
        GATEWAY_URL: 'http://gateway.example.com',
        GATEWAY_CLIENT_SECRET: 'gateway-secret',
      }),
    );
    expect(failed).toMatchObject({ code: 'PART_SETTINGS_INVALID', retryable: false });
    const names = [...failed.message.matchAll(/^ {2}- ([A-Z0-9_]+):/gm)].map(([, name]) => name);
    expect(names).toEqual([
      ...['SMTP_URL', 'MAIL_FROM', 'FILES_TIMEOUT_SECONDS', 'FILES_URL', 'PUSH_SERVICE_ACCOUNT'],
      ...['GATEWAY_TOKEN_URL', 'GATEWAY_CLIENT_ID', 'GATEWAY_URL'],
    ]);
    expect(failed.message).not.toMatch(/(mail|file|push|gateway)-secret/);
  });
});
