const HIDDEN = '***';
// Up to the last @ before the host ends: a password may itself hold an @ that nobody encoded.
const CREDENTIALS = /\b([a-z][a-z0-9+.-]*:\/\/[^\s:@/"']*):[^\s/"']*@/gi;

/** The URL with its password hidden, fit for a log. */
export function redactUrl(url: string): string {
  return redactCredentials(url);
}

/** Hides the password of every URL in the text. */
export function redactCredentials(text: string): string {
  return text.replace(CREDENTIALS, `$1:${HIDDEN}@`);
}
