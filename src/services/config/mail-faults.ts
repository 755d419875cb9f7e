import { statSync } from 'node:fs';

/** What is wrong with the variables of mails and alerts together. */
export function mailFaults(given: NodeJS.ProcessEnv): string[] {
  const { SMTP_URL: smtp, SES_REGION: ses, MAIL_FROM: from, MAIL_TEMPLATE_DIR: folder } = given;
  const { BATCH_ALERT_EMAIL_TO: to, BATCH_ALERT_WEBHOOK_URL: webhook, BATCH_ALERT_WEBHOOK_SECRET: secret } = given;
  const hasTransport = smtp !== undefined || ses !== undefined;
  const faults: readonly [wrong: boolean, fault: string][] = [
    [smtp !== undefined && ses !== undefined, 'SES_REGION: SMTP_URL is set too; set one of them'],
    [to !== undefined && !hasTransport, 'BATCH_ALERT_EMAIL_TO: nothing can send mails; set SMTP_URL or SES_REGION'],
    [
      from === undefined && (to !== undefined || hasTransport),
      'MAIL_FROM: required to send mails; set the address that they come from',
    ],
    [
      webhook !== undefined && secret === undefined,
      'BATCH_ALERT_WEBHOOK_SECRET: required with BATCH_ALERT_WEBHOOK_URL; the receiver checks the signature with it',
    ],
    [
      webhook === undefined && secret !== undefined,
      'BATCH_ALERT_WEBHOOK_SECRET: has no effect without BATCH_ALERT_WEBHOOK_URL; set both, or neither',
    ],
    [folder !== undefined && !isFolder(folder), `MAIL_TEMPLATE_DIR: there is no folder "${folder}"`],
  ];
  return faults.flatMap(([wrong, fault]) => (wrong ? [fault] : []));
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
