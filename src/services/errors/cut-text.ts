/** Of what a caller is told about an error, in UTF-16 code units: a database quotes the values that it refuses, of whatever size. */
export const LONGEST_ERROR_TEXT = 2000;

const HIDDEN = '***';
/** What begins as a secret and is not known to have ended: its recognisable end may stand in what was cut off. */
const UNFINISHED_CREDENTIALS = /(?<=:\/\/)([^\s:@/"']*):[^\s/"']*$/;
const UNFINISHED_BEARER = /\b(Bearer +)[\w.~+/=-]*$/i;

/**
 * The text, or its first `limit` UTF-16 code units and how many were cut off. No character is cut in two, and the mark has only
 * characters that every encoding of a database has: the text may be stored. Half a secret that a cut leaves is hidden, since
 * `redactSecrets` does not recognise it any more.
 */
export function cutText(text: string, limit = LONGEST_ERROR_TEXT): string {
  if (text.length <= limit) return text;
  const end = isHighSurrogate(text.charCodeAt(limit - 1)) ? limit - 1 : limit;
  const kept = text
    .slice(0, end)
    .replace(UNFINISHED_CREDENTIALS, `$1:${HIDDEN}`)
    .replace(UNFINISHED_BEARER, `$1${HIDDEN}`);
  return `${kept}...[${text.length - end} more characters]`;
}

/** Half a character would be no character. */
function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff;
}
