/** 1234567 → 1,234,567 */
const COUNT = new Intl.NumberFormat('en');
export const count = (value: number): string => COUNT.format(value);

export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** A number up to which the service has counted: 10000 → 10,000 or more, where it is not exact. */
export const counted = (value: number, isExact: boolean): string => `${count(value)}${isExact ? '' : ' or more'}`;

/** A number of the last sample, where it is not exact: 60000 → ≈ 60,000 */
export const sampled = (value: number, isExact: boolean): string => `${isExact ? '' : '≈ '}${count(value)}`;

/** A number that the service has concluded from a part of what there is, where it is not exact: 5000 → ≈ 5,000 or more */
export const estimated = (value: number, isExact: boolean): string => (isExact ? '' : '≈ ') + counted(value, isExact);

/** 0.42 → 0.4, 1234.5 → 1,235 */
export function rate(value: number): string {
  return value < 10 ? String(Math.round(value * 10) / 10) : count(Math.round(value));
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** 850 → 850 ms, 4200 → 4.2 s, 95000 → 1 min 35 s */
export function duration(ms: number): string {
  if (ms < SECOND) return `${ms < 10 ? Math.round(ms * 10) / 10 : Math.round(ms)} ms`;
  if (ms < 10 * SECOND) return `${(ms / SECOND).toFixed(1)} s`;
  if (ms < MINUTE) return `${Math.round(ms / SECOND)} s`;
  if (ms < HOUR) return two(ms, MINUTE, 'min', SECOND, 's');
  if (ms < DAY) return two(ms, HOUR, 'h', MINUTE, 'min');
  return two(ms, DAY, 'd', HOUR, 'h');
}

function two(ms: number, large: number, largeName: string, small: number, smallName: string): string {
  const whole = Math.floor(ms / large);
  const rest = Math.floor((ms % large) / small);
  return rest === 0 ? `${whole} ${largeName}` : `${whole} ${largeName} ${rest} ${smallName}`;
}

/** `3 min ago`, `in 20 s`, `now`: one unit is enough beside the exact time. */
export function relative(at: number, now: number): string {
  const ms = at - now;
  const size = Math.abs(ms);
  if (size < SECOND) return 'now';
  const [unit, name] =
    size < MINUTE ? [SECOND, 's'] : size < HOUR ? [MINUTE, 'min'] : size < DAY ? [HOUR, 'h'] : [DAY, 'd'];
  const text = `${Math.floor(size / unit)} ${name}`;
  return ms > 0 ? `in ${text}` : `${text} ago`;
}

/** Local time with the zone, for a title and for what must be exact. */
export function exact(at: string): string {
  const time = new Date(at);
  const padded = (value: number, digits = 2): string => String(value).padStart(digits, '0');
  const offset = -time.getTimezoneOffset();
  const zone =
    offset === 0
      ? 'UTC'
      : `UTC${offset > 0 ? '+' : '-'}${padded(Math.floor(Math.abs(offset) / 60))}:${padded(Math.abs(offset) % 60)}`;
  return (
    `${time.getFullYear()}-${padded(time.getMonth() + 1)}-${padded(time.getDate())} ` +
    `${padded(time.getHours())}:${padded(time.getMinutes())}:${padded(time.getSeconds())}.${padded(time.getMilliseconds(), 3)} ${zone}`
  );
}

export const clockTime = (at: number): string => exact(new Date(at).toISOString()).slice(11, 16);
export const clockTimeWithSeconds = (at: number): string => exact(new Date(at).toISOString()).slice(11, 19);

/** `public.orders` → `orders`, as callers write it. */
export const shortTarget = (target: string): string => target.replace(/^public\./, '');

/** One value as JSON text. Numbers keep their digits, see `parseExactly`. */
export const json = (value: unknown, indent?: number): string => JSON.stringify(value, undefined, indent);
