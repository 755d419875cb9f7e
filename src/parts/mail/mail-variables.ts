import { statSync } from 'node:fs';
import { z } from 'zod';
import { isEncoded, parseUrl } from '../settings/addresses.js';
import { readVariables, variable, type Given, type Read, type ValuesOf } from '../settings/variables.js';
import { parseMailbox } from './mail-address.js';
import type { MailSettings } from './mail-settings.js';

/** The service reads them too, for its alerts. */
export const mailVariables = {
  SMTP_URL: variable(
    'a URL such as smtp://user:password@host:587 or smtps://host:465, without a path or parameters',
    z.string().refine(isSmtpUrl).optional(),
  ),
  SES_REGION: variable(
    'a region such as eu-central-1',
    z
      .string()
      .regex(/^[a-z]{2}(-[a-z]+)+-\d$/)
      .optional(),
  ),
  MAIL_FROM: variable(
    'an address such as batch@example.com or Batch Service <batch@example.com>',
    z
      .string()
      .transform((text, context) => parseMailbox(text) ?? (context.addIssue('none'), z.NEVER))
      .optional(),
  ),
  MAIL_TEMPLATE_DIR: variable('a path', z.string().optional()),
};

/** What is wrong with the variables of mails together. Each of them is checked by itself elsewhere. */
export function mailFaults({
  SMTP_URL: smtp,
  SES_REGION: ses,
  MAIL_FROM: from,
  MAIL_TEMPLATE_DIR: folder,
}: Given): string[] {
  const faults: readonly [wrong: boolean, fault: string][] = [
    [smtp !== undefined && ses !== undefined, 'SES_REGION: SMTP_URL is set too; set one of them'],
    [
      from === undefined && (smtp !== undefined || ses !== undefined),
      'MAIL_FROM: required to send mails; set the address that they come from',
    ],
    [folder !== undefined && !isFolder(folder), `MAIL_TEMPLATE_DIR: there is no folder "${folder}"`],
  ];
  return faults.flatMap(([wrong, fault]) => (wrong ? [fault] : []));
}

export function mailSettings({
  SMTP_URL: url,
  SES_REGION: region,
  MAIL_FROM: from,
  MAIL_TEMPLATE_DIR: templateDir,
}: Partial<ValuesOf<typeof mailVariables>>): MailSettings | undefined {
  if (from === undefined) return undefined;
  if (url !== undefined) return { from, templateDir, transport: { kind: 'smtp', url } };
  if (region !== undefined) return { from, templateDir, transport: { kind: 'ses', region } };
  return undefined;
}

export function readMailSettings(given: Given): Read<MailSettings> {
  const { values, faults } = readVariables(mailVariables, given);
  return { settings: values && mailSettings(values), faults: [...faults, ...mailFaults(given)] };
}

/** Parameters are refused, because nothing would read them. */
function isSmtpUrl(text: string): boolean {
  const { protocol = '', hostname, pathname = '', search, hash, username, password } = parseUrl(text) ?? {};
  const isPlain = /^\/?$/.test(pathname) && search === '' && hash === '' && isEncoded(`${username}${password}`);
  return ['smtp:', 'smtps:'].includes(protocol) && hostname !== '' && isPlain;
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
