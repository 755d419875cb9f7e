import { Logger } from '@nestjs/common';
import type { MailSender } from '../../../parts/mail/mail-sender.js';
import type { MailSettings } from '../../../parts/mail/mail-settings.js';
import { openMailSender } from '../../../parts/mail/open-mail-sender.js';
import { MailTemplate, type MailTemplateSource, type MailValues } from '../../../parts/mail/mail-template.js';
import { headline, type AlertChannel, type AlertMessage } from '../alert-message.js';

const TEMPLATE = 'alert';

/** The fields that a template may use. */
export const ALERT_MAIL_FIELDS = [
  'headline',
  'name',
  'event',
  'rule',
  'subject',
  'title',
  'text',
  'firstAt',
  'at',
  'isFiring',
  'isRepeated',
  'isResolved',
  'isTest',
] as const;

const DEFAULT_TEMPLATE: MailTemplateSource = {
  subject: '{{headline}}',
  text: `{{title}}

{{text}}
{{^isTest}}

Rule: {{rule}}{{#subject}} ({{subject}}){{/subject}}
Since: {{firstAt}}
{{/isTest}}
Message of {{name}}, {{at}}
`,
  html: `<!doctype html>
<html lang="en">
<body style="font-family: sans-serif; line-height: 1.5; color: #1a1a1a">
<h1 style="font-size: 1.2em; border-left: 0.4em solid {{#isResolved}}#2e7d32{{/isResolved}}{{#isTest}}#1565c0{{/isTest}}{{#isFiring}}#c62828{{/isFiring}}{{#isRepeated}}#c62828{{/isRepeated}}; padding-left: 0.6em">{{headline}}</h1>
<p style="white-space: pre-line">{{text}}</p>
{{^isTest}}
<p style="color: #555">Rule: {{rule}}{{#subject}} ({{subject}}){{/subject}}<br>Since: {{firstAt}}</p>
{{/isTest}}
<p style="color: #555">Message of {{name}}, {{at}}</p>
</body>
</html>
`,
};

/** Sends mails, with the templates `alert.<part>.mustache` of MAIL_TEMPLATE_DIR where there are such. */
export class EmailChannel implements AlertChannel {
  readonly name = 'email';
  private readonly logger = new Logger('Alerts');

  private constructor(
    private readonly to: readonly string[],
    private readonly sender: MailSender,
    private readonly template: MailTemplate,
  ) {}

  /** @throws MailTemplateError, PartError PACKAGE_MISSING */
  static async open(to: readonly string[], settings: MailSettings): Promise<EmailChannel> {
    const template = await MailTemplate.load(TEMPLATE, DEFAULT_TEMPLATE, ALERT_MAIL_FIELDS, settings.templateDir);
    return new EmailChannel(to, await openMailSender(settings), template);
  }

  get place(): string {
    return this.to.join(', ');
  }

  async send(message: AlertMessage, signal: AbortSignal): Promise<void> {
    const mail = { to: this.to, id: `batch-alert-${message.id}`, ...this.template.render(valuesOf(message)) };
    const refused = await this.sender.send(mail, signal);
    if (refused.length === 0) return;
    this.logger.warn({ message: 'The mail server refuses recipients of alerts: check BATCH_ALERT_EMAIL_TO', refused });
  }

  close(): void {
    this.sender.close();
  }
}

function valuesOf(message: AlertMessage): Record<(typeof ALERT_MAIL_FIELDS)[number], MailValues[string]> {
  const { name, event, rule, subject, title, text, firstAt, at } = message;
  return {
    ...{ headline: headline(message), name, event, rule, subject, title, text },
    firstAt: firstAt.toISOString(),
    at: at.toISOString(),
    isFiring: event === 'firing',
    isRepeated: event === 'repeated',
    isResolved: event === 'resolved',
    isTest: event === 'test',
  };
}
