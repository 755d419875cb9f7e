const HIDDEN = '***';
// Matches up to the last @ before the host ends, because a password may contain an @ that nobody encoded. The scheme is
// not matched: searching for its beginning at each letter takes time with the square of the length.
const CREDENTIALS = /(?<=:\/\/)([^\s:@/"']*):[^\s/"']*@/g;
// Some drivers, among them that of Redis, also read a password from the query of a URL.
const PARAMETERS = /([?&](?:password|pass|pwd|token|secret)=)[^&#\s"'\\]*/gi;

// A complete id of a key is kept: it is public, and shows whose key it was.
const API_KEY = /bsk_(?:([0-9a-f]{16})_)?[\w-]{8,}/g;
const BEARER = /\b(Bearer +)[\w.~+/=-]{8,}/gi;

/** Hides credentials wherever they occur in the text: passwords of URLs, API keys, bearer tokens. */
export function redactSecrets(text: string): string {
  return redactUrl(text)
    .replace(API_KEY, (_, id: string | undefined) => (id === undefined ? `bsk_${HIDDEN}` : `bsk_${id}_${HIDDEN}`))
    .replace(BEARER, `$1${HIDDEN}`);
}

/** Hides the password of every URL in the text, before its host and in its query. */
export function redactUrl(text: string): string {
  return text.replace(CREDENTIALS, `$1:${HIDDEN}@`).replace(PARAMETERS, `$1${HIDDEN}`);
}
