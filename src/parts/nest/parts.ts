import type { OnApplicationShutdown } from '@nestjs/common';
import type { FileStore } from '../files/file-store.js';
import { openFileStore } from '../files/open-file-store.js';
import { HttpMessageGateway } from '../gateway/http-message-gateway.js';
import type { MessageGateway } from '../gateway/message-gateway.js';
import type { MailSender } from '../mail/mail-sender.js';
import { MailTemplates } from '../mail/mail-templates.js';
import { openMailSender } from '../mail/open-mail-sender.js';
import { FcmPushSender } from '../push/fcm-push-sender.js';
import type { PushSender } from '../push/push-sender.js';
import { readPartSettings } from '../settings/part-settings.js';

/** The parts that are configured. Code that can do without a part asks here; else it injects the class of the part. */
export class Parts implements OnApplicationShutdown {
  private constructor(
    readonly mail: MailSender | undefined,
    readonly mailTemplates: MailTemplates | undefined,
    readonly files: FileStore | undefined,
    readonly push: PushSender | undefined,
    readonly gateway: MessageGateway | undefined,
  ) {}

  /**
   * Loads what is configured, and nothing else. Nothing is connected before the first use.
   *
   * @throws PartSettingsError with every fault; PartError PACKAGE_MISSING
   */
  static async open(environment: NodeJS.ProcessEnv): Promise<Parts> {
    const { mail, files, push, gateway } = readPartSettings(environment);
    return new Parts(
      mail && (await openMailSender(mail)),
      mail && new MailTemplates(mail.templateDir),
      files && (await openFileStore(files)),
      push && new FcmPushSender(push),
      gateway && new HttpMessageGateway(gateway),
    );
  }

  onApplicationShutdown(): void {
    this.mail?.close();
    this.files?.close();
  }
}
