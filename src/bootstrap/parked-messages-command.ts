import type { ParkedSelection } from '../services/rabbitmq/parked-messages.js';
import { readOptions, refuseArguments, refuseOtherOptions, unknownCommand, UsageError } from './run-command.js';

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

/** @throws UsageError */
export function parseParkedMessagesCommand(args: string[]): ParkedMessagesCommand {
  const { positionals, values } = readOptions({
    args,
    allowPositionals: true,
    options: { limit: { type: 'string' }, id: { type: 'string' }, all: { type: 'boolean' } },
  });
  const [name, ...others] = positionals;
  const limit = values.limit === undefined ? undefined : Number(values.limit);
  if (limit !== undefined && !(Number.isInteger(limit) && limit > 0)) {
    throw new UsageError(`--limit must be a whole number from 1, not '${values.limit}'`);
  }
  const { id, all } = values;
  const selection: ParkedSelection = { ...(id !== undefined && { id }), ...(limit !== undefined && { limit }) };
  switch (name) {
    case 'list':
      refuseArguments(name, others);
      refuseOtherOptions(name, values, ['limit']);
      return { name, selection };
    case 'replay':
      refuseArguments(name, others);
      refuseOtherOptions(name, values, ['limit', 'id']);
      return { name, selection };
    case 'discard':
      refuseArguments(name, others);
      refuseOtherOptions(name, values, ['id', 'all']);
      if ((id !== undefined) === (all === true)) throw new UsageError('discard takes either --id <id> or --all');
      return { name, selection };
    default:
      return unknownCommand(name);
  }
}
