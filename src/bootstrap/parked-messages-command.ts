import { parseArgs } from 'node:util';
import type { ParkedSelection } from '../services/rabbitmq/parked-messages.js';

export interface ParkedMessagesCommand {
  name: 'list' | 'replay' | 'discard';
  selection: ParkedSelection;
}

export const PARKED_MESSAGES_USAGE = `Usage: npm run --silent parked-messages -- <command>
  list    [--limit <n>]              the oldest parked messages (100)
  replay  [--limit <n>] [--id <id>]  sends them again: all, the <n> oldest, or one
  discard --id <id> | --all          deletes one of them, or all
<id> is the id of the message, or the id that it got when it was parked; list shows both.
`;

/** Undefined: the command line asks for something that does not exist. */
export function parseParkedMessagesCommand(args: string[]): ParkedMessagesCommand | undefined {
  try {
    const { positionals, values } = parseArgs({
      args,
      allowPositionals: true,
      options: { limit: { type: 'string' }, id: { type: 'string' }, all: { type: 'boolean', default: false } },
    });
    const [name, ...others] = positionals;
    const limit = values.limit === undefined ? undefined : Number(values.limit);
    if (others.length > 0 || (limit !== undefined && !(Number.isInteger(limit) && limit > 0))) return undefined;
    const { id, all } = values;
    const selection: ParkedSelection = { ...(id !== undefined && { id }), ...(limit !== undefined && { limit }) };
    if (name === 'list' && id === undefined && !all) return { name, selection };
    if (name === 'replay' && !all) return { name, selection };
    if (name === 'discard' && limit === undefined && (id !== undefined) !== all) return { name, selection };
    return undefined;
  } catch {
    // There is no such option.
    return undefined;
  }
}
