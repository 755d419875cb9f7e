import type { Settings } from '../config/settings.js';
import { redactSecrets } from '../../interfaces/redact-secrets.js';

const HIDDEN = '***';
/** A shorter text would be found in words that are no secrets. */
const SHORTEST = 4;

/** Hides what the settings of alerts keep secret: the reason why a message was not sent is logged, and shown to readers. */
export function hideSecrets(text: string, { alerts, mail }: Pick<Settings, 'alerts' | 'mail'>): string {
  const secrets = [alerts.slackUrl, alerts.webhook?.url, alerts.webhook?.secret, ...passwords(mail)];
  let hidden = text;
  for (const secret of secrets) {
    if (secret !== undefined && secret.length >= SHORTEST) hidden = hidden.replaceAll(secret, HIDDEN);
  }
  return redactSecrets(hidden);
}

function passwords(mail: Settings['mail']): string[] {
  if (mail?.transport.kind !== 'smtp') return [];
  const { password } = new URL(mail.transport.url);
  return [password, decodeURIComponent(password)];
}
