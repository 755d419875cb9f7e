/** What is wrong with the variables of alerts together. */
export function alertFaults(given: NodeJS.ProcessEnv): string[] {
  const { BATCH_ALERT_EMAIL_TO: to, BATCH_ALERT_WEBHOOK_URL: webhook, BATCH_ALERT_WEBHOOK_SECRET: secret } = given;
  const faults: readonly [wrong: boolean, fault: string][] = [
    [
      to !== undefined && given.SMTP_URL === undefined && given.SES_REGION === undefined,
      'BATCH_ALERT_EMAIL_TO: nothing can send mails; set SMTP_URL or SES_REGION, and MAIL_FROM',
    ],
    [
      webhook !== undefined && secret === undefined,
      'BATCH_ALERT_WEBHOOK_SECRET: required with BATCH_ALERT_WEBHOOK_URL; the receiver checks the signature with it',
    ],
    [
      webhook === undefined && secret !== undefined,
      'BATCH_ALERT_WEBHOOK_SECRET: has no effect without BATCH_ALERT_WEBHOOK_URL; set both, or neither',
    ],
  ];
  return faults.flatMap(([wrong, fault]) => (wrong ? [fault] : []));
}
