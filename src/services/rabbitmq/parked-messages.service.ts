import { Inject, Injectable } from '@nestjs/common';
import type { IParkedMessage, IParkedMessages } from '../../interfaces/parked-message.js';
import { insertAudit } from '../audit/audit.sql.js';
import { SETTINGS, type Settings } from '../config/settings.js';
import { DatabaseService } from '../database/database.service.js';
import { NoPlaceError, Places } from '../database/places.js';
import { messageOf } from '../errors/message-of.js';
import { quoteForMessage } from '../errors/quote-for-message.js';
import { ServiceError } from '../errors/service-error.js';
import { withTimeout } from '../observability/with-timeout.js';
import { toAuditEntries } from './parked-audit.js';
import { ParkedMessages, type ParkedMessage, type ParkedSelection } from './parked-messages.js';
import { showParked } from './show-parked.js';

export const MOST_PARKED = 100;
const DEFAULT_LIMIT = 50;
/** The service looks at the first messages of the queue only. Others come into sight when these are gone. */
const LOOK = { messages: 1000, bytes: 64 * 1024 * 1024 };
/**
 * Each look at a message is a delivery, and the broker drops a message after a million of them. So a look is remembered
 * for this time, while the number of messages stays the same. A page that asks again and again may then do so for months.
 */
const REMEMBERED_MS = 15_000;
const CONNECT_TIMEOUT_MS = 5000;
/** The messages that were looked at are then back in the queue. */
const WORK_TIMEOUT_MS = 10_000;

interface Look {
  total: number;
  until: number;
  /** In the order of `isBefore`. */
  messages: IParkedMessage[];
}

/**
 * Shows callers the messages that wait for a person's decision, sends one again, or deletes one. Only one request of
 * this process reads the queue at a time, because messages that somebody reads are hidden from others meanwhile.
 */
@Injectable()
export class ParkedMessagesService {
  private readonly turn = new Places(1, WORK_TIMEOUT_MS);
  private remembered: Look | undefined;

  constructor(
    @Inject(SETTINGS) private readonly settings: Pick<Settings, 'rabbitmq'>,
    private readonly database: DatabaseService,
  ) {}

  /**
   * With the limit 0 it only counts them.
   *
   * @throws ServiceError INVALID_REQUEST; NOT_SUPPORTED without a broker; SERVICE_UNAVAILABLE
   */
  async list({ limit = DEFAULT_LIMIT, cursor }: { limit?: number; cursor?: string }): Promise<IParkedMessages> {
    const after = cursor === undefined ? undefined : readCursor(cursor);
    if (limit === 0) return { items: [], total: await this.within((parked) => parked.count()) };
    const { total, messages } = await this.within((parked) => this.look(parked));
    const behind = after === undefined ? messages : messages.filter((message) => isBefore(after, message));
    const items = behind.slice(0, limit);
    const last = items.at(-1);
    return { items, ...(behind.length > limit && last && { nextCursor: toCursor(last) }), total };
  }

  /**
   * Sends a message back into its queue, as it was sent first.
   *
   * @param actor see `callerName`
   * @throws ServiceError PARKED_MESSAGE_NOT_FOUND; NOT_SUPPORTED without a broker; SERVICE_UNAVAILABLE
   */
  replay(id: string, actor: string | undefined): Promise<IParkedMessage> {
    return this.change('replay', id, actor);
  }

  /** Deletes a message. Takes and throws the same as `replay`. */
  discard(id: string, actor: string | undefined): Promise<IParkedMessage> {
    return this.change('discard', id, actor);
  }

  private async change(act: 'replay' | 'discard', id: string, actor: string | undefined): Promise<IParkedMessage> {
    let moved: IParkedMessage | undefined;
    const selection: ParkedSelection = {
      parkedId: id,
      limit: 1,
      signal: AbortSignal.timeout(WORK_TIMEOUT_MS),
      // It is recorded first. So the audit is complete even if this process ends in between.
      record: async (messages) => {
        const recorded = this.database.requests.query(insertAudit(toAuditEntries(act, actor, messages)));
        await recorded.catch((error: unknown) => {
          throw new NotRecordedError('The audit could not be written', { cause: error });
        });
      },
    };
    const onMoved = (message: ParkedMessage): void => void (moved = showParked(message));
    await this.within((parked) => parked[act](selection, onMoved));
    this.remembered = undefined;
    if (moved !== undefined) return moved;
    if (selection.signal?.aborted === true) throw unavailable('The broker took too long to find the parked message');
    throw new ServiceError(
      'PARKED_MESSAGE_NOT_FOUND',
      `There is no parked message ${quoteForMessage(id)}, or somebody else reads the parked messages at this moment`,
      { id },
    );
  }

  private async look(parked: ParkedMessages): Promise<Look> {
    const total = await parked.count();
    const known = this.remembered;
    if (known?.total === total && performance.now() < known.until) return known;
    const signal = AbortSignal.timeout(WORK_TIMEOUT_MS);
    const messages = await parked.look({ ...LOOK, signal }, showParked);
    if (signal.aborted) throw unavailable('The broker took too long to show the parked messages');
    messages.sort((a, b) => (isBefore(a, b) ? -1 : 1));
    this.remembered = { total, until: performance.now() + REMEMBERED_MS, messages };
    return this.remembered;
  }

  private async within<T>(work: (parked: ParkedMessages) => Promise<T>): Promise<T> {
    const { rabbitmq } = this.settings;
    if (rabbitmq === undefined) {
      throw new ServiceError(
        'NOT_SUPPORTED',
        'No broker is configured (BATCH_SERVICE_RMQ_URL), so no message is parked',
      );
    }
    try {
      return await this.turn.within(async () => {
        const opening = ParkedMessages.open(rabbitmq.url, rabbitmq.queue, rabbitmq.certificates);
        const parked = await withTimeout(opening, CONNECT_TIMEOUT_MS).catch((error: unknown) => {
          // It may still be opened, too late.
          opening.then((late) => late.close()).catch(() => undefined);
          throw brokerFailure(error);
        });
        try {
          return await work(parked);
        } finally {
          // The broker returns what was only read, also if the connection was lost.
          await parked.close().catch(() => undefined);
        }
      });
    } catch (error) {
      if (error instanceof NoPlaceError) throw unavailable('Other requests read the parked messages');
      if (error instanceof NotRecordedError) throw error.cause;
      throw error instanceof ServiceError ? error : brokerFailure(error);
    }
  }
}

/** Tells the failures of the database from those of the broker, whose errors have no class. */
class NotRecordedError extends Error {}

function brokerFailure(error: unknown): ServiceError {
  return new ServiceError(
    'SERVICE_UNAVAILABLE',
    `The broker does not show its parked messages (${messageOf(error)}); send the request again`,
    undefined,
    { cause: error },
  );
}

const unavailable = (what: string): ServiceError =>
  new ServiceError('SERVICE_UNAVAILABLE', `${what}; nothing was changed, send the request again`);

type Place = Pick<IParkedMessage, 'parkedAt' | 'id'>;

/** The order of messages for callers. The queue's own order changes when messages are looked at. */
const isBefore = (a: Place, b: Place): boolean => a.parkedAt < b.parkedAt || (a.parkedAt === b.parkedAt && a.id < b.id);

const toCursor = ({ parkedAt, id }: Place): string => Buffer.from(JSON.stringify([parkedAt, id])).toString('base64url');

function readCursor(cursor: string): Place {
  try {
    const [parkedAt, id] = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as unknown[];
    if (typeof parkedAt === 'string' && typeof id === 'string') return { parkedAt, id };
  } catch {
    // It is refused below.
  }
  throw new ServiceError('INVALID_REQUEST', 'cursor must be the nextCursor of an earlier page', {
    parameter: 'cursor',
  });
}
