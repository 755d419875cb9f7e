import { Module, Scope, type DynamicModule, type Provider } from '@nestjs/common';
import { FileStore } from '../files/file-store.js';
import { MessageGateway } from '../gateway/message-gateway.js';
import { MailSender } from '../mail/mail-sender.js';
import { MailTemplates } from '../mail/mail-templates.js';
import { PartError } from '../part-error.js';
import { PushSender } from '../push/push-sender.js';
import { Parts } from './parts.js';

type Injected = abstract new (...dependencies: never[]) => unknown;

/** The class by which a part is injected, and what configures it. */
const PARTS: readonly [token: Injected, partOf: (parts: Parts) => unknown, cure: string][] = [
  [MailSender, ({ mail }) => mail, 'SMTP_URL or SES_REGION, and MAIL_FROM'],
  [MailTemplates, ({ mailTemplates }) => mailTemplates, 'SMTP_URL or SES_REGION, and MAIL_FROM'],
  [FileStore, ({ files }) => files, 'FILES_URL'],
  [PushSender, ({ push }) => push, 'PUSH_SERVICE_ACCOUNT'],
  [
    MessageGateway,
    ({ gateway }) => gateway,
    'GATEWAY_URL, GATEWAY_TOKEN_URL, GATEWAY_CLIENT_ID and GATEWAY_CLIENT_SECRET',
  ],
];

/** Makes the parts that the environment configures injectable, in all modules. Who injects another one learns at boot which variable is missing. */
@Module({})
export class PartsModule {
  static forRoot(environment: NodeJS.ProcessEnv = process.env): DynamicModule {
    const providers: Provider[] = [
      { provide: Parts, useFactory: () => Parts.open(environment) },
      ...PARTS.map(([provide, partOf, cure]) => ({
        provide,
        // It is made for each class that injects it, and not at all when none does. So a part need not be configured that nobody uses.
        scope: Scope.TRANSIENT,
        inject: [Parts],
        useFactory: (parts: Parts) => partOf(parts) ?? refuse(provide.name, cure),
      })),
    ];
    return { module: PartsModule, global: true, providers, exports: providers.map((provider) => tokenOf(provider)) };
  }
}

function tokenOf(provider: Provider) {
  return typeof provider === 'function' ? provider : provider.provide;
}

function refuse(name: string, cure: string): never {
  throw new PartError('PART_NOT_CONFIGURED', `${name} is injected, and it is not configured: set ${cure}`);
}
