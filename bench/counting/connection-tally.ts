import { MessageFrames, type Frame } from './message-frames.js';
import { emptyTally, isData, type Tally, type Transaction } from './transaction.js';

/** States of a session as `ReadyForQuery` tells them. */
const IDLE = 'I';

/**
 * Counts what one connection does, from the messages in both directions, and reports each transaction when it has
 * ended.
 *
 * A statement is a CommandComplete or an ErrorResponse; `begin`, `commit` and savepoints count too. A round trip is a
 * request of a client that has got all answers: a request that is sent before that does not wait. The login does not
 * count.
 */
export class ConnectionTally {
  private readonly fromClient = new MessageFrames(true);
  private readonly fromServer = new MessageFrames(false);
  private ready = false;
  /** Requests that were not answered yet. */
  private outstanding = 0;
  private state = IDLE;
  /** Since the last transaction ended. */
  private tally: Tally = emptyTally();
  private tags: string[] = [];
  /** Of the request that is being answered. */
  private requestTags: string[] = [];
  private failed = false;

  constructor(private readonly ended: (transaction: Transaction) => void) {}

  /** Whether the client waits for an answer. */
  get busy(): boolean {
    return this.outstanding > 0;
  }

  sent(bytes: Buffer): void {
    for (const { type } of this.fromClient.take(bytes)) {
      // Query and Sync: each is answered by one ReadyForQuery.
      if (!this.ready || (type !== 'Q' && type !== 'S')) continue;
      if (this.outstanding === 0) this.tally.roundTrips += 1;
      this.outstanding += 1;
    }
  }

  received(bytes: Buffer): void {
    for (const frame of this.fromServer.take(bytes)) this.answer(frame);
  }

  private answer({ type, body }: Frame): void {
    switch (type) {
      case 'C':
        this.requestTags.push(body.toString('latin1', 0, body.length - 1));
        break;
      case 'E':
        this.failed = true;
        // An error does not name its statement; a refused statement usually carries data.
        this.tally.statements += 1;
        this.tally.dataStatements += 1;
        break;
      case 'Z':
        this.endRequest(body.toString('latin1', 0, 1));
        break;
    }
  }

  private endRequest(state: string): void {
    const { tally, requestTags: tags } = this;
    tally.statements += tags.length;
    tally.dataStatements += tags.filter(isData).length;
    tally.commits += tags.filter((tag) => tag === 'COMMIT').length;
    // Outside of a block, what one request did is committed at its end.
    const implicit = this.state === IDLE && state === IDLE && !tags.includes('BEGIN') && tags.length > 0;
    if (implicit && !this.failed) tally.commits += 1;
    this.tags.push(...tags);
    this.requestTags = [];
    this.failed = false;
    this.state = state;
    if (state === IDLE) this.endTransaction();
    if (this.ready) this.outstanding -= 1;
    this.ready = true;
  }

  private endTransaction(): void {
    const { tally, tags } = this;
    this.tally = emptyTally();
    this.tags = [];
    if (this.ready) this.ended({ ...tally, tags });
  }
}
