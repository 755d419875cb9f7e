import { once } from 'node:events';
import type { Server, Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { ServerTCP } from '@nestjs/microservices';
import { InvalidTcpDataReceptionException } from '@nestjs/microservices/errors/invalid-tcp-data-reception.exception.js';
import type { IServiceError } from '../../interfaces/error.js';
import type { AccessService } from '../../services/access/access.service.js';
import { InFlightBudget } from '../../services/backpressure/in-flight-budget.js';
import type { Settings } from '../../services/config/settings.js';
import { ServiceError } from '../../services/errors/service-error.js';
import type { MetricsService } from '../../services/observability/metrics.service.js';
import { requestIdFrom, runInRequest } from '../../services/observability/request-context.js';
import { SparseLog } from '../../services/observability/sparse-log.js';
import { grantAccess, grantedAccess } from '../caller-access.js';
import { limitConnections } from '../limit-connections.js';
import { FramedSocket, type SizedPacket } from './framed-socket.js';
import { InFlight } from './in-flight.js';
import { KeyedTcpContext } from './keyed-tcp-context.js';
import { PATIENCE, type Patience } from './patience.js';
import { refusal, runHandler, type RpcAnswer } from './rpc-answer.js';
import { withinBudget } from './within-budget.js';

export type TcpServerSettings = Pick<Settings, 'rpcTcp' | 'intake' | 'access' | 'shutdownTimeoutMs'>;

/** It waits no longer than this for a peer that does not read its last answers. */
const FLUSH_TIMEOUT_MS = 1000;

/** A calling process needs one connection. */
export const MAX_CONNECTIONS = 1000;
/** So that one machine cannot keep the others out. */
export const MAX_CONNECTIONS_PER_ADDRESS = 250;

/**
 * While a key is looked up, the request counts for all such callers together. So they cannot keep out callers whose
 * keys are known.
 */
const UNIDENTIFIED = Symbol('callers whose keys are looked up');

/**
 * NestJS' TCP server with the answers of the RabbitMQ one, for use without a broker. It promises that every readable
 * request is answered, and that stopping answers what was begun before sockets close. What one connection sends does
 * not harm others, and callers without a valid key take neither room nor log lines from others. A refused event can
 * only be logged, because TCP has no queue to keep it in.
 */
export class TcpServer extends ServerTCP {
  private readonly inFlight = new InFlight();
  private readonly strangers = new SparseLog(this.logger);
  /** Connections on which a request was accepted. */
  private readonly proven = new WeakSet<FramedSocket>();
  private closing = false;
  private closed: Promise<void> | undefined;

  constructor(
    private readonly settings: TcpServerSettings,
    private readonly metrics: MetricsService,
    private readonly access: Pick<AccessService, 'identify'>,
    private readonly budget = new InFlightBudget(settings),
    private readonly patience: Patience = PATIENCE,
  ) {
    super(settings.rpcTcp);
    const limits = { total: MAX_CONNECTIONS, perAddress: MAX_CONNECTIONS_PER_ADDRESS };
    limitConnections(this.unwrap<Server>(), limits, (why) => this.refuseConnection(why));
  }

  override handleMessage(socket: FramedSocket, message: unknown): Promise<void> {
    return this.inFlight.track(() => socket.inFlight.track(() => this.serve(socket, message as SizedPacket)));
  }

  // NestJS waits for what this returns, though its own server returns nothing.
  // eslint-disable-next-line @typescript-eslint/no-misused-promises
  override close(): Promise<void> {
    this.closed ??= this.drain();
    return this.closed;
  }

  protected override getSocketInstance(socket: Socket): FramedSocket {
    const framed = new FramedSocket(socket, this.settings.intake, this.budget, (error) => {
      this.strangers.log({ message: `A frame was refused: ${error.code}`, code: error.code });
      this.count(error);
    });
    framed.endWhenSilent(this.patience, () =>
      this.strangers.log({ message: 'A connection was closed: its caller sent nothing' }),
    );
    return framed;
  }

  /** If a caller leaves before its answer, that is not a failure of the service, although NestJS logs it as one. */
  protected override handleError(error: string | Error): void {
    if (error instanceof InvalidTcpDataReceptionException) this.logger.debug?.('A connection of a caller broke');
    else this.logger.error(error);
  }

  private async serve(socket: FramedSocket, packet: SizedPacket): Promise<void> {
    const context = new KeyedTcpContext([socket, packet.pattern, undefined], packet.apiKey);
    const answer = await this.answer(socket, packet, context);
    if (answer.err !== undefined) this.report(answer.err, packet, context);
    if (packet.id !== undefined) reply(socket, packet.id, answer);
    if (answer.err?.code === 'RATE_LIMITED' && !this.proven.has(socket)) socket.finish();
  }

  private async answer(
    socket: FramedSocket,
    { pattern, id, data, bytes }: SizedPacket,
    context: KeyedTcpContext,
  ): Promise<RpcAnswer> {
    return runInRequest(requestIdFrom(id), async () => {
      if (this.closing) return refusal(new ServiceError('SHUTTING_DOWN', 'The service is stopping; try again'));
      try {
        await this.identify(socket, context, bytes);
      } catch (error) {
        return refusal(error);
      }
      return withinBudget(
        () => this.budget.take(bytes),
        () => runHandler(this.messageHandlers.get(pattern), pattern, data, context),
      );
    });
  }

  /** @throws ServiceError for a caller without a valid key, before its request takes any room from others */
  private async identify(socket: FramedSocket, context: KeyedTcpContext, bytes: number): Promise<void> {
    const release = this.settings.access.required ? this.budget.take(bytes, UNIDENTIFIED) : undefined;
    try {
      grantAccess(context, await this.access.identify(context.apiKey, socket.address));
    } finally {
      release?.();
    }
    this.proven.add(socket);
  }

  /** The text of a refusal may quote the caller's values, so the log has only the code. */
  private report(refused: IServiceError, { id }: SizedPacket, context: KeyedTcpContext): void {
    const { code } = refused;
    this.count(refused);
    if (grantedAccess(context) === undefined) this.strangers.log({ message: `A request was refused: ${code}`, code });
    else if (id === undefined) this.logger.warn({ msg: `An event was refused and is lost: ${code}`, code });
  }

  private refuseConnection(why: string): void {
    const code = 'OVERLOADED';
    this.strangers.log({ message: `A connection was refused: ${why}`, code });
    this.metrics.recordRequestRefused('tcp', code);
  }

  private count({ code }: IServiceError): void {
    this.metrics.recordRequestRefused('tcp', code);
  }

  private async drain(): Promise<void> {
    this.closing = true;
    this.isManuallyTerminated = true;
    this.server.close();
    if (!(await this.inFlight.drained(this.settings.shutdownTimeoutMs))) {
      this.logger.warn(`${this.inFlight.size} requests were not answered in time`);
    }
    await this.flushSockets();
    super.close();
  }

  /** `super.close()` cuts sockets, and so loses answers that are not sent yet. */
  private async flushSockets(): Promise<void> {
    const ended = [...this.openSockets].map(async (socket) => {
      if (socket.destroyed) return;
      const finished = once(socket, 'finish').catch(() => undefined);
      socket.end();
      await finished;
    });
    await Promise.race([Promise.all(ended), delay(FLUSH_TIMEOUT_MS, undefined, { ref: false })]);
  }
}

function reply(socket: FramedSocket, id: unknown, answer: RpcAnswer): void {
  try {
    socket.sendMessage({ ...answer, id });
  } catch (error) {
    // An answer that cannot be written as JSON. Nothing of it was sent.
    socket.sendMessage({ ...refusal(error), id });
  }
}
