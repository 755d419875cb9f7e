const HIDDEN = '***';
// Up to the last @ before the host ends: a password may itself hold an @ that nobody encoded. The scheme is left out: to look for
// its beginning at each letter of a text takes a time that grows with the square of its length.
const CREDENTIALS = /(?<=:\/\/)([^\s:@/"']*):[^\s/"']*@/g;
// Some drivers, that of Redis among them, take a password from the query of a URL as well.
const PARAMETERS = /([?&](?:password|pass|pwd|token|secret)=)[^&#\s"'\\]*/gi;

// With the id of a key that is whole: it is public, and tells whose it was.
const API_KEY = /bsk_(?:([0-9a-f]{16})_)?[\w-]{8,}/g;
const BEARER = /\b(Bearer +)[\w.~+/=-]{8,}/gi;

/** Hides what lets somebody in, wherever it stands in the text: passwords of URLs, API keys, bearer tokens. */
export function redactSecrets(text: string): string {
  return redactCredentials(text)
    .replace(API_KEY, (_, id: string | undefined) => (id === undefined ? `bsk_${HIDDEN}` : `bsk_${id}_${HIDDEN}`))
    .replace(BEARER, `$1${HIDDEN}`);
}

/** The URL with its password hidden, fit for a log. */
export function redactUrl(url: string): string {
  return redactCredentials(url);
}

/** Hides the password of every URL in the text, before its host and in its query. */
export function redactCredentials(text: string): string {
  return text.replace(CREDENTIALS, `$1:${HIDDEN}@`).replace(PARAMETERS, `$1${HIDDEN}`);
}
