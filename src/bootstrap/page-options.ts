import { UsageError } from './run-command.js';

/** One page of a list, as the options of a command name it. */
export interface PageOptions {
  limit?: number;
  cursor?: string;
}

/** @throws UsageError */
export function pageOf({ limit, cursor }: { limit?: string; cursor?: string }): PageOptions {
  const most = numberOf('limit', limit);
  return { ...(most !== undefined && { limit: most }), ...(cursor !== undefined && { cursor }) };
}

/** @throws UsageError */
export function numberOf(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new UsageError(`--${option} must be a whole number, not '${text}'`);
}
