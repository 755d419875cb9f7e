/** Formats numbers for people. */

export const MISSING = '–';

/** About three digits, with a space between thousands; integers below 10 000 as they are; '–' for an unknown number. */
export function figure(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return MISSING;
  const size = Math.abs(value);
  if (size >= 10_000) return grouped(Number(value.toPrecision(3)).toFixed());
  return grouped(value.toFixed(size >= 100 || Number.isInteger(value) ? 0 : size >= 10 ? 1 : size >= 0.1 ? 2 : 3));
}

export const times = (value: number | undefined): string =>
  value === undefined || !Number.isFinite(value) ? MISSING : `${figure(value)}×`;

/** Median, and in brackets the lowest and the highest; one value as it is. */
export function spread(middle: number | undefined, values: readonly number[]): string {
  if (values.length < 2) return figure(middle);
  return `${figure(middle)} (${figure(Math.min(...values))}–${figure(Math.max(...values))})`;
}

const grouped = (digits: string): string => digits.replace(/\B(?=(\d{3})+$)/g, ' ');
