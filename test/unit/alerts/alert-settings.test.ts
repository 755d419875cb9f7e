import { describe, expect, it } from 'vitest';
import type { InvalidSettingsError } from '../../../src/services/config/invalid-settings.error.js';
import { loadSettings } from '../../../src/services/config/load-settings.js';
import { hideSecrets } from '../../../src/services/alerts/hide-secrets.js';

const SECRET = 'a-secret-that-the-receiver-knows-too';
const MAIL = { SMTP_URL: 'smtp://mail:587', MAIL_FROM: 'batch@example.com' };

function faultsOf(environment: NodeJS.ProcessEnv): string {
  try {
    loadSettings(environment);
    return '';
  } catch (error) {
    return (error as InvalidSettingsError).faults.join('\n');
  }
}

describe('the settings of alerts', () => {
  it.each<[fault: string, environment: NodeJS.ProcessEnv]>([
    [
      'BATCH_ALERT_EMAIL_TO: nothing can send mails',
      { BATCH_ALERT_EMAIL_TO: 'ada@example.com', MAIL_FROM: 'b@example.com' },
    ],
    ['BATCH_ALERT_EMAIL_TO: expected at most 50 addresses', { ...MAIL, BATCH_ALERT_EMAIL_TO: 'ada@example.com, ada' }],
    ['MAIL_FROM: required to send mails', { SMTP_URL: 'smtp://mail' }],
    ['MAIL_FROM: expected an address', { SMTP_URL: 'smtp://mail', MAIL_FROM: 'Batch' }],
    ['SES_REGION: SMTP_URL is set too', { ...MAIL, SES_REGION: 'eu-central-1' }],
    ['SES_REGION: expected a region', { SES_REGION: 'Frankfurt', MAIL_FROM: 'b@example.com' }],
    ['SMTP_URL: expected a URL', { ...MAIL, SMTP_URL: 'http://mail' }],
    ['SMTP_URL: expected a URL', { ...MAIL, SMTP_URL: 'smtp://mail?requireTLS=true' }],
    ['SMTP_URL: expected a URL', { ...MAIL, SMTP_URL: 'smtp://user:50%@mail' }],
    ['MAIL_TEMPLATE_DIR: there is no folder "/nowhere"', { ...MAIL, MAIL_TEMPLATE_DIR: '/nowhere' }],
    ['BATCH_ALERT_WEBHOOK_SECRET: required with', { BATCH_ALERT_WEBHOOK_URL: 'http://10.0.0.1/x' }],
    ['BATCH_ALERT_WEBHOOK_SECRET: has no effect', { BATCH_ALERT_WEBHOOK_SECRET: SECRET }],
    [
      'BATCH_ALERT_WEBHOOK_SECRET: expected a random text',
      { BATCH_ALERT_WEBHOOK_URL: 'http://10.0.0.1/x', BATCH_ALERT_WEBHOOK_SECRET: 'short' },
    ],
    [
      'BATCH_ALERT_WEBHOOK_URL: expected a URL',
      { BATCH_ALERT_WEBHOOK_URL: 'ftp://x', BATCH_ALERT_WEBHOOK_SECRET: SECRET },
    ],
    ['BATCH_ALERT_SLACK_URL: expected a URL', { BATCH_ALERT_SLACK_URL: 'https://user:word@hooks.slack.com/x' }],
    ['BATCH_ALERT_NAME: expected a text', { BATCH_ALERT_NAME: 'two\nlines' }],
    ['BATCH_ALERT_FAILURE_PERCENT: expected a whole number from 0 to 100', { BATCH_ALERT_FAILURE_PERCENT: '101' }],
  ])('are refused at boot: %s', (fault, environment) => {
    expect(faultsOf(environment)).toContain(fault);
  });

  it('show no secret when they are refused', () => {
    const faults = faultsOf({
      BATCH_ALERT_SLACK_URL: 'https://u:word@hooks.slack.com/T/B',
      SMTP_URL: 'smtp://u:word@m?x',
      MAIL_FROM: 'b@example.com',
    });
    expect(faults).toContain('SMTP_URL');
    expect(faults).not.toMatch(/u:word|hooks\.slack/);
  });
});

describe('a reason why an alert was not sent', () => {
  it('has no secret of the settings', () => {
    const settings = loadSettings({
      BATCH_ALERT_SLACK_URL: 'https://hooks.slack.com/services/T/B/x',
      BATCH_ALERT_WEBHOOK_URL: 'https://hooks.example.com/token-of-mine',
      BATCH_ALERT_WEBHOOK_SECRET: SECRET,
      SMTP_URL: 'smtp://u:p%40ssword@mail',
      MAIL_FROM: 'b@example.com',
    });
    const text = `POST https://hooks.slack.com/services/T/B/x https://hooks.example.com/token-of-mine ${SECRET} p@ssword p%40ssword failed`;
    expect(hideSecrets(text, settings)).toBe('POST *** *** *** *** *** failed');
  });
});
