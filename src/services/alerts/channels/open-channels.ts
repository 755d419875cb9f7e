import { MailTemplateError } from '../../../parts/mail/mail-template.js';
import { PartError } from '../../../parts/part-error.js';
import { InvalidSettingsError } from '../../config/invalid-settings.error.js';
import type { Settings } from '../../config/settings.js';
import type { AlertChannel } from '../alert-message.js';
import { WebhookChannel } from './webhook.channel.js';

// Libraries of channels are loaded when these are configured, because they make the start slower.

/**
 * Opens the channels that are configured.
 *
 * @throws InvalidSettingsError when a template cannot be used, or a package is missing
 */
export async function openChannels({ alerts, mail }: Pick<Settings, 'alerts' | 'mail'>): Promise<AlertChannel[]> {
  const channels: AlertChannel[] = [];
  if (alerts.slackUrl !== undefined) {
    const { SlackChannel } = await import('./slack.channel.js');
    channels.push(new SlackChannel(alerts.slackUrl));
  }
  if (alerts.emailTo.length > 0 && mail !== undefined) {
    const { EmailChannel } = await import('./email.channel.js');
    channels.push(await EmailChannel.open(alerts.emailTo, mail).catch(refuse));
  }
  if (alerts.webhook !== undefined) channels.push(new WebhookChannel(alerts.webhook));
  return channels;
}

function refuse(error: unknown): never {
  if (error instanceof MailTemplateError) {
    throw new InvalidSettingsError(error.faults.map((fault) => `MAIL_TEMPLATE_DIR: ${fault}`));
  }
  if (error instanceof PartError && error.code === 'PACKAGE_MISSING') throw new InvalidSettingsError([error.message]);
  throw error;
}
