const ISO_TIME = /^(\d{4})-(\d{2})-(\d{2})T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2})$/;

/**
 * A time in ISO 8601 with zone, in milliseconds since 1970. Undefined: the text is no such time. The years are 0001 to
 * 9999, because PostgreSQL has no year 0000.
 */
export function parseTime(text: string): number | undefined {
  const match = ISO_TIME.exec(text);
  if (match === null) return undefined;
  const time = Date.parse(text);
  if (Number.isNaN(time)) return undefined;
  // Date.parse takes February 30 for March 1 or 2.
  const [year, month, day] = match.slice(1).map(Number);
  if (year === 0) return undefined;
  const exists = new Date(Date.UTC(year ?? 0, (month ?? 0) - 1, day)).getUTCDate() === day;
  return exists ? time : undefined;
}
