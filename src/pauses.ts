import { onOneConnection } from './bootstrap/on-one-connection.js';
import { parsePausesCommand, PAUSES_USAGE, type PausesCommand } from './bootstrap/pauses-command.js';
import { readSettings } from './bootstrap/read-settings.js';
import { requestsOn } from './bootstrap/requests-on.js';
import { commandActor, explain, runCommand, say } from './bootstrap/run-command.js';
import type { IPauseAnswer, IPauseState } from './interfaces/pause.js';
import type { RequestConnections } from './services/database/request-connections.js';
import { listPauses, pause, unpause } from './services/pauses/pauses.js';

// `node dist/pauses.js list | pause | drain | resume` stops and goes on with lanes, tables and sources.

await runCommand(PAUSES_USAGE, async (args) => {
  const command = parsePausesCommand(args);
  await onOneConnection(readSettings(), (client, settings) => execute(command, requestsOn(client, settings)));
});

async function execute(command: PausesCommand, requests: RequestConnections): Promise<void> {
  switch (command.name) {
    case 'list':
      return list(requests);
    case 'pause':
    case 'drain':
      return explain(describeAnswer(await pause(requests, command.request, commandActor())));
    case 'resume': {
      const { kind, name } = await unpause(requests, command.kind, command.of, commandActor());
      return explain(`The ${kind} ${name} goes on.`);
    }
    default:
      command satisfies never;
  }
}

async function list(requests: RequestConnections): Promise<void> {
  const pauses = await listPauses(requests);
  for (const each of pauses) await say(line(each));
  explain(`${pauses.length} paused or drained`);
}

function line({ kind, name, drain, remaining, remainingIsExact, pausedAt, by, reason }: IPauseState): string {
  const count = `${remaining}${remainingIsExact ? '' : '+'}`;
  return [kind, name, drain ? 'drained' : 'paused', count, pausedAt, by ?? '-', JSON.stringify(reason ?? '')].join(' ');
}

function describeAnswer({ kind, name, drain, running }: IPauseAnswer): string {
  if (!drain) {
    const still = running ? ' A chunk that began before still runs.' : '';
    return `The ${kind} ${name} is paused: nothing of it is executed.${still}`;
  }
  const still = running ? ' A transaction that began before may still store some.' : '';
  return `The ${kind} ${name} is drained: new operations are refused.${still} \`list\` shows how many remain.`;
}
