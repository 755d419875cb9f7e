import type { JSX } from 'preact';
import type { IParkedNotification } from '../../../src/interfaces/notification.js';
import type { IParkedMessage } from '../../../src/interfaces/parked-message.js';
import {
  discardMessage,
  discardNotifications,
  listParkedMessages,
  listParkedNotifications,
  notifyAgain,
  replayMessage,
} from '../api/endpoints.js';
import { Action } from '../components/actions.js';
import { Code, Empty, Loaded, Page, Section, ShortId, Time } from '../components/basics.js';
import { count, plural } from '../components/format.js';
import { Pager, Table } from '../components/table.js';
import { pageAddress, query } from '../state/location.js';
import { useResource } from '../state/resource.js';

const PAGE = 50;
const POLL_MS = 5000;
/** The two lists of this page are paged each for itself. */
const NOTIFICATIONS_CURSOR = 'notifications';
/** To list the messages, the service takes each of them out of the queue and puts it back. */
const MESSAGES_POLL_MS = 30_000;

export function DeadLettersPage(): JSX.Element {
  const cursor = query.value.get('cursor') ?? undefined;
  const messages = useResource(
    `parked messages ${cursor}`,
    (stop) => listParkedMessages({ limit: PAGE, cursor }, stop),
    {
      ...(cursor === undefined && { pollMs: MESSAGES_POLL_MS }),
    },
  );
  const after = query.value.get(NOTIFICATIONS_CURSOR) ?? undefined;
  const notifications = useResource(
    `parked notifications ${after}`,
    (stop) => listParkedNotifications({ limit: PAGE, cursor: after }, stop),
    {
      ...(after === undefined && { pollMs: POLL_MS }),
    },
  );
  return (
    <Page
      title="Dead letters"
      lead="What the service could not read, and what the broker refuses to take. It waits here for a decision."
    >
      <Section title="Parked messages">
        <Loaded from={messages}>
          {({ items, nextCursor, total }) => (
            <>
              {items.length === 0 ? (
                <Empty title="No message is parked.">Every message of a caller was read and answered.</Empty>
              ) : (
                <>
                  <Messages messages={items} />
                  {total > items.length && <p class="muted">{count(total)} in all, the oldest first.</p>}
                </>
              )}
              <Pager nextCursor={nextCursor} label="Pages of the parked messages" />
            </>
          )}
        </Loaded>
      </Section>
      <Section title="Notifications that the broker refuses">
        <Loaded from={notifications}>
          {({ items, nextCursor }) => (
            <>
              {items.length === 0 ? (
                <Empty title="The broker refuses none." />
              ) : (
                <Notifications notifications={items} />
              )}
              <Pager
                nextCursor={nextCursor}
                parameter={NOTIFICATIONS_CURSOR}
                label="Pages of the notifications that the broker refuses"
              />
            </>
          )}
        </Loaded>
      </Section>
    </Page>
  );
}

function Messages({ messages }: { messages: IParkedMessage[] }): JSX.Element {
  return (
    <Table
      caption="Parked messages, oldest first"
      rows={messages}
      rowKey={({ id }) => id}
      columns={[
        { name: 'Message', cell: ({ id, messageId }) => <code>{messageId ?? id}</code> },
        { name: 'Code', cell: ({ code }) => code },
        { name: 'Reason', cell: ({ reason }) => reason },
        { name: 'Body', cell: (message) => <Body message={message} /> },
        { name: 'Parked', cell: ({ parkedAt }) => <Time at={parkedAt} /> },
        { name: 'Actions', cell: ({ id }) => <MessageActions id={id} /> },
      ]}
    />
  );
}

function Body({
  message: { id, body, bodyBytes, bodyEncoding, bodyIsComplete },
}: {
  message: IParkedMessage;
}): JSX.Element {
  return (
    <details>
      <summary>
        <code class="cut">{body.slice(0, 60)}</code>
      </summary>
      <Code text={body} label={`Body of message ${id}`} />
      <p class="small muted">
        {plural(bodyBytes, 'byte')}
        {bodyEncoding === 'base64' && ', shown as base64, because it is not UTF-8'}
        {!bodyIsComplete && '; this is its beginning'}
      </p>
    </details>
  );
}

function MessageActions({ id }: { id: string }): JSX.Element {
  return (
    <div class="actions">
      <Action label="Replay" scope="admin" done="The message is in its queue again." work={() => replayMessage(id)} />
      <Action
        label="Discard"
        scope="admin"
        danger
        done="The message is deleted."
        work={() => discardMessage(id)}
        confirm={<p>The message is deleted for good. Its sender is told nothing.</p>}
      />
    </div>
  );
}

function Notifications({ notifications }: { notifications: IParkedNotification[] }): JSX.Element {
  return (
    <Table
      caption="Notifications that the broker refuses"
      rows={notifications}
      rowKey={({ chunkId, source }) => `${chunkId} ${source}`}
      columns={[
        { name: 'Chunk', cell: ({ chunkId }) => <ShortId id={chunkId} href={pageAddress(`/chunks/${chunkId}`)} /> },
        { name: 'Source', cell: ({ source }) => source },
        { name: 'Reason', cell: ({ reason }) => reason },
        { name: 'Tried', numeric: true, cell: ({ failures }) => count(failures) },
        { name: 'Next try', cell: ({ nextTryAt }) => <Time at={nextTryAt} /> },
        {
          name: 'Actions',
          cell: ({ chunkId }) => (
            <div class="actions">
              <Action
                label="Send now"
                scope="admin"
                done="They are sent as soon as a worker runs."
                work={() => notifyAgain(chunkId)}
              />
              <Action
                label="Give up"
                scope="admin"
                danger
                done="Its sources are not notified."
                work={() => discardNotifications(chunkId)}
                confirm={
                  <p>
                    The parked notifications of chunk {chunkId} are given up. Its operations do not change, and can be
                    read.
                  </p>
                }
              />
            </div>
          ),
        },
      ]}
    />
  );
}
