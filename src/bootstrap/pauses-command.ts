import { PAUSE_KINDS, type IPauseRequest, type PauseKind } from '../interfaces/pause.js';
import { readOptions, refuseArguments, refuseOtherOptions, unknownCommand, UsageError } from './run-command.js';

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

/** @throws UsageError */
export function parsePausesCommand(args: string[]): PausesCommand {
  const { positionals, values } = readOptions({
    args,
    allowPositionals: true,
    options: { reason: { type: 'string' } },
  });
  const [name, ...others] = positionals;
  switch (name) {
    case 'list':
      refuseArguments(name, others);
      refuseOtherOptions(name, values, []);
      return { name };
    case 'resume':
      refuseOtherOptions(name, values, []);
      return { name, ...placeOf(name, others) };
    case 'pause':
    case 'drain': {
      const { kind, of } = placeOf(name, others);
      return { name, request: { kind, name: of, drain: name === 'drain', ...values } };
    }
    default:
      return unknownCommand(name);
  }
}

function placeOf(command: string, [kind, of, ...others]: readonly string[]): { kind: PauseKind; of: string } {
  refuseArguments(command, others);
  if (kind === undefined || of === undefined || of === '') throw new UsageError(`${command} takes <kind> and <name>`);
  if (!isKind(kind)) throw new UsageError(`<kind> must be one of ${PAUSE_KINDS.join(', ')}, not '${kind}'`);
  return { kind, of };
}

const isKind = (kind: string): kind is PauseKind => PAUSE_KINDS.includes(kind as PauseKind);
