import { PAUSE_KINDS, type IPauseRequest, type PauseKind } from '../interfaces/pause.js';

export type PausesCommand =
  | { name: 'list' }
  | { name: 'pause' | 'drain'; request: IPauseRequest }
  | { name: 'resume'; kind: PauseKind; of: string };

export const PAUSES_USAGE = `Usage: npm run --silent pauses -- <command>
  list                                   what is paused or drained: kind, name, operations that wait, since when, by whom, why
  pause <kind> <name> [--reason <text>]  executes nothing of it; new operations are accepted
  drain <kind> <name> [--reason <text>]  refuses new operations, and executes what waits
  resume <kind> <name>                   ends the pause or the drain
<kind> is lane, target or source. <name> is the number of a lane, a table, or a source.
`;

/** Undefined: the command line asks for something that does not exist. */
export function parsePausesCommand([name = '', kind, of, ...options]: readonly string[]): PausesCommand | undefined {
  if (name === 'list') return kind === undefined ? { name } : undefined;
  if (!isKind(kind) || of === undefined || of === '') return undefined;
  if (name === 'resume') return options.length === 0 ? { name, kind, of } : undefined;
  if (name !== 'pause' && name !== 'drain') return undefined;
  const [option, reason, ...others] = options;
  if (others.length > 0 || (option !== undefined && (option !== '--reason' || reason === undefined))) return undefined;
  return {
    name,
    request: { kind, name: of, drain: name === 'drain', ...(reason !== undefined && { reason }) },
  };
}

const isKind = (kind: string | undefined): kind is PauseKind => PAUSE_KINDS.includes(kind as PauseKind);
