import type pg from 'pg';
import {
  PARKED_MESSAGES_USAGE,
  parseParkedMessagesCommand,
  type ParkedMessagesCommand,
} from './bootstrap/parked-messages-command.js';
import { onOneConnection } from './bootstrap/on-one-connection.js';
import { readSettings } from './bootstrap/read-settings.js';
import { commandActor, OutputError, runCommand, say } from './bootstrap/run-command.js';
import { StartError } from './bootstrap/start-error.js';
import { insertAudit } from './services/audit/audit.sql.js';
import type { Settings } from './services/config/settings.js';
import { isUndefinedTable } from './services/database/classify-failure.js';
import { sqlStateOf } from './services/database/sql-state.js';
import { cutText } from './services/errors/cut-text.js';
import { messageOf } from './services/errors/message-of.js';
import { redactSecrets } from './interfaces/redact-secrets.js';
import { toAuditEntries } from './services/rabbitmq/parked-audit.js';
import { ParkedMessages, type ParkedMessage, type ParkedSelection } from './services/rabbitmq/parked-messages.js';
import { parkedQueue } from './services/rabbitmq/topology.js';
import { brokerRefusal } from './services/tls/tls-refusal.js';

// `node dist/parked-messages.js list | replay | discard` handles messages that the service could not execute. It may be
// interrupted at any time: `replay` removes a message from the parking queue only after it is in its own queue again.

const LISTED = 100;
const SHOWN_BODY = 200;
const LONGEST_LINE = 2000;
/** More than is shown, because a secret is recognised only if it is complete. */
const READ_BODY = 2000;

type Broker = NonNullable<Settings['rabbitmq']>;

await runCommand(PARKED_MESSAGES_USAGE, async (args) => {
  const command = parseParkedMessagesCommand(args);
  const settings = readSettings();
  const { rabbitmq } = settings;
  if (rabbitmq === undefined) throw new StartError('No broker is configured: set BATCH_SERVICE_RMQ_URL');
  await run(command, settings, rabbitmq).catch((error: unknown) => {
    throw explained(error, rabbitmq);
  });
});

async function run({ name, selection }: ParkedMessagesCommand, settings: Settings, rabbitmq: Broker): Promise<void> {
  const { url, queue, certificates } = rabbitmq;
  const parked = await ParkedMessages.open(url, queue, certificates);
  try {
    switch (name) {
      case 'list':
        return await list(parked, queue, selection.limit ?? LISTED);
      case 'replay':
        return await recorded(settings, 'replay', (record) =>
          move({ ...selection, record }, `sent to ${queue}`, (stop, tell) => parked.replay(stop, tell)),
        );
      case 'discard':
        return await recorded(settings, 'discard', (record) =>
          move({ ...selection, record }, 'discarded', (stop, tell) => parked.discard(stop, tell)),
        );
      default:
        return name satisfies never;
    }
  } finally {
    await parked.close();
  }
}

/** The audit is written before a message is moved. So it is complete even if this process ends in between. */
function recorded(
  settings: Settings,
  act: 'replay' | 'discard',
  work: (record: (messages: readonly ParkedMessage[]) => Promise<void>) => Promise<void>,
): Promise<void> {
  const actor = commandActor();
  const record = async (database: pg.Client, messages: readonly ParkedMessage[]): Promise<void> => {
    await database.query(insertAudit(toAuditEntries(act, actor, messages)));
  };
  return onOneConnection(settings, (database) => work((messages) => record(database, messages)));
}

async function list(parked: ParkedMessages, queue: string, limit: number): Promise<void> {
  const { total, messages } = await parked.list(limit);
  for (const message of messages) await say(`${line(message)}\n  ${abridged(message.body)}`);
  const rest = total > messages.length ? `, the oldest ${messages.length} of them shown` : '';
  await say(`${total} in ${parkedQueue(queue)}${rest}`);
}

async function move(
  selection: ParkedSelection,
  what: string,
  work: (selection: ParkedSelection, onMoved: (message: ParkedMessage) => void) => Promise<void>,
): Promise<void> {
  const interrupted = new AbortController();
  process.once('SIGINT', () => interrupted.abort());
  let count = 0;
  // If the reader of the output closes it, the work goes on, and the error is thrown at the end.
  let unheard: unknown;
  const tell = (text: string): Promise<void> => say(text).catch((error: unknown) => void (unheard ??= error));
  try {
    await work({ ...selection, signal: interrupted.signal }, (message) => {
      count += 1;
      void tell(line(message));
    });
  } finally {
    await tell(`${count} ${what}${interrupted.signal.aborted ? ' before the interruption' : ''}`);
  }
  if (count === 0 && selection.id !== undefined && !interrupted.signal.aborted) {
    throw new StartError(`There is no parked message with the id ${selection.id}; \`list\` shows the ids`);
  }
  if (unheard !== undefined) throw unheard as Error;
}

function line({ parkedAt, code, id, messageId, reason }: ParkedMessage): string {
  const ids = messageId === undefined ? id : `${id} (message ${messageId})`;
  return redactSecrets(cutText(`${parkedAt} ${code} ${ids} ${JSON.stringify(reason)}`, LONGEST_LINE));
}

function abridged(body: Buffer): string {
  const text = redactSecrets(cutText(body.toString('utf8', 0, 4 * READ_BODY), READ_BODY)).slice(0, SHOWN_BODY);
  return body.length > SHOWN_BODY ? `${JSON.stringify(text)}… (${body.length} bytes)` : JSON.stringify(text);
}

/** Adds to the error how to fix it, as far as that is known. */
function explained(error: unknown, { queue }: Broker): unknown {
  if (error instanceof StartError || error instanceof OutputError || isUndefinedTable(error)) return error;
  const message = messageOf(error);
  const explain = (text: string): StartError => new StartError(text, { cause: error });
  if (message.includes('NOT_FOUND - no queue')) {
    return explain(
      `There is no queue ${parkedQueue(queue)}: start the service once, or correct BATCH_SERVICE_RMQ_QUEUE`,
    );
  }
  if (sqlStateOf(error) !== undefined) {
    return explain(`The audit could not be written, so nothing more was moved: ${message}`);
  }
  const refusal = brokerRefusal(error);
  return explain(refusal === undefined ? `RabbitMQ: ${message}` : `RabbitMQ ${refusal}`);
}
