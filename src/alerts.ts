import { randomUUID } from 'node:crypto';
import { ALERTS_USAGE, checkAlertsCommand } from './bootstrap/alerts-command.js';
import { readSettings } from './bootstrap/read-settings.js';
import { runCommand, say } from './bootstrap/run-command.js';
import { StartError } from './bootstrap/start-error.js';
import { testMessage, type AlertChannel } from './services/alerts/alert-message.js';
import { openChannels } from './services/alerts/channels/open-channels.js';
import { hideSecrets } from './services/alerts/hide-secrets.js';
import { InvalidSettingsError } from './services/config/invalid-settings.error.js';
import type { Settings } from './services/config/settings.js';
import { messageOf } from './services/errors/message-of.js';

// `node dist/alerts.js test` sends a message to every channel. It needs no database.

const TIMEOUT_MS = 15_000;

await runCommand(ALERTS_USAGE, async (args) => {
  checkAlertsCommand(args);
  const settings = readSettings();
  const channels = await openChannels(settings).catch((error: unknown) => {
    if (error instanceof InvalidSettingsError) throw new StartError(error.message, { cause: error });
    throw error;
  });
  if (channels.length === 0) {
    throw new StartError(
      'No channel is configured: set BATCH_ALERT_SLACK_URL, BATCH_ALERT_EMAIL_TO or BATCH_ALERT_WEBHOOK_URL',
    );
  }
  const failed = (await Promise.all(channels.map((channel) => test(channel, settings)))).filter((sent) => !sent);
  if (failed.length > 0) throw new StartError(`${failed.length} of ${channels.length} channels do not work`);
});

async function test(channel: AlertChannel, settings: Settings): Promise<boolean> {
  const message = testMessage(settings.alerts.name, `test-${randomUUID()}`, new Date());
  try {
    await channel.send(message, AbortSignal.timeout(TIMEOUT_MS));
    await say(`${channel.name}: sent to ${channel.place}`);
    return true;
  } catch (error) {
    await say(`${channel.name}: not sent to ${channel.place}: ${hideSecrets(messageOf(error), settings)}`);
    return false;
  } finally {
    channel.close();
  }
}
