/**
 * The limit of an error's text that a caller gets, in UTF-16 code units. A database quotes the values that it refuses,
 * and these may have any size.
 */
export const LONGEST_ERROR_TEXT = 2000;

const CUT = /\.{3}\[\d+ more characters\]$/;
const LONGEST_MARK = 40;

const HIDDEN = '***';
/** A secret that the cut may divide. `redactSecrets` would not recognise its first part. */
const UNFINISHED_CREDENTIALS = /(?<=:\/\/)([^\s:@/"']*):[^\s/"']*$/;
const UNFINISHED_BEARER = /\b(Bearer +)[\w.~+/=-]*$/i;

/**
 * The text, or its first `limit` UTF-16 code units and the number of those that were cut off. No character is cut in
 * two. The mark has only characters that every database encoding has, because the text may be stored. A part of a
 * secret at the cut is hidden, since `redactSecrets` no longer recognises it. A text that was cut is not cut again.
 *
 * @param missing the number of characters that were cut off before
 */
export function cutText(text: string, limit = LONGEST_ERROR_TEXT, missing = 0): string {
  if (text.length <= limit) return text;
  if (text.length <= limit + LONGEST_MARK && CUT.test(text)) return text;
  const end = isHighSurrogate(text.charCodeAt(limit - 1)) ? limit - 1 : limit;
  const kept = text
    .slice(0, end)
    .replace(UNFINISHED_CREDENTIALS, `$1:${HIDDEN}`)
    .replace(UNFINISHED_BEARER, `$1${HIDDEN}`);
  return `${kept}...[${text.length - end + missing} more characters]`;
}

/** Half a surrogate pair is not a character. */
function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff;
}
