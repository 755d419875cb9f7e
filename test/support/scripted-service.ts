import { Controller, type INestMicroservice } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  MessagePattern,
  RpcException,
  ServerRMQ,
  Transport,
  type CustomTransportStrategy,
  type MicroserviceOptions,
} from '@nestjs/microservices';
import { connect, type ConfirmChannel } from 'amqplib';
import type { ErrorCode, IServiceError } from '../../src/interfaces/error.js';
import type { IBatchOperation, ICreateBatchOperationRequest } from '../../src/interfaces/operation.js';
import { RPC_PATTERNS } from '../../src/interfaces/rpc.js';

export type RpcName = keyof typeof RPC_PATTERNS;

/** What a client may send. */
export interface ReceivedData extends Partial<ICreateBatchOperationRequest> {
  operations?: ICreateBatchOperationRequest[];
  timeoutMs?: number;
}

/** Answers call number `call` (from 1) of a pattern. */
export type Script = (data: ReceivedData, call: number) => unknown;

/** The other end of the wire: a real Nest microservice that has the service's patterns and answers by a script. */
export interface ScriptedService {
  received(name: RpcName): ReceivedData[];
  /** Resolves with the data of the next call. */
  nextCall(name: RpcName): Promise<ReceivedData>;
  close(): Promise<void>;
}

export type ScriptedTransport = { transport: 'tcp'; port: number } | { transport: 'rmq'; url: string; queue: string };

/** No answer, ever: as when it is lost on its way. */
export const lost = (): Promise<never> => new Promise(() => undefined);

export function refuse(code: ErrorCode, message = `refused with ${code}`): never {
  throw new RpcException({ status: 'error', code, message, details: { from: 'test' } } satisfies IServiceError);
}

export function operation(id: string, fields: Partial<IBatchOperation> = {}): IBatchOperation {
  return {
    id,
    operationType: 'insert',
    target: 'public.orders',
    priority: 0,
    status: 'pending',
    attempts: 0,
    createdAt: '2026-01-01T00:00:00.000Z',
    ...fields,
  };
}

export const accepted = ({ id = '' }: { id?: string }) => ({ id, status: 'pending' as const, created: true });

export async function startScriptedService(
  transport: ScriptedTransport,
  scripts: Partial<Record<RpcName, Script>>,
): Promise<ScriptedService> {
  const received = new Map<RpcName, ReceivedData[]>();
  const waiting = new Map<RpcName, ((data: ReceivedData) => void)[]>();

  const answer = async (name: RpcName, data: ReceivedData): Promise<unknown> => {
    const calls = received.get(name) ?? [];
    received.set(name, [...calls, data]);
    for (const resolve of waiting.get(name) ?? []) resolve(data);
    waiting.delete(name);
    const script = scripts[name];
    if (!script) throw new Error(`The test has no script for ${name}`);
    return script(data, calls.length + 1);
  };

  @Controller()
  class ScriptedController {
    @MessagePattern(RPC_PATTERNS.createOperation)
    createOperation(data: ReceivedData) {
      return answer('createOperation', data);
    }
    @MessagePattern(RPC_PATTERNS.createOperations)
    createOperations(data: ReceivedData) {
      return answer('createOperations', data);
    }
    @MessagePattern(RPC_PATTERNS.getOperation)
    getOperation(data: ReceivedData) {
      return answer('getOperation', data);
    }
    @MessagePattern(RPC_PATTERNS.waitForOperation)
    waitForOperation(data: ReceivedData) {
      return answer('waitForOperation', data);
    }
    @MessagePattern(RPC_PATTERNS.cancelOperation)
    cancelOperation(data: ReceivedData) {
      return answer('cancelOperation', data);
    }
    @MessagePattern(RPC_PATTERNS.retryOperation)
    retryOperation(data: ReceivedData) {
      return answer('retryOperation', data);
    }
    @MessagePattern(RPC_PATTERNS.getBulkAction)
    getBulkAction(data: ReceivedData) {
      return answer('getBulkAction', data);
    }
    @MessagePattern(RPC_PATTERNS.stopBulkAction)
    stopBulkAction(data: ReceivedData) {
      return answer('stopBulkAction', data);
    }
  }
  class ScriptedModule {}

  const app: INestMicroservice = await NestFactory.createMicroservice<MicroserviceOptions>(
    { module: ScriptedModule, controllers: [ScriptedController] },
    { logger: false, ...(await microserviceOptions(transport)) },
  );
  await app.listen();
  return {
    received: (name) => received.get(name) ?? [],
    nextCall: (name) =>
      new Promise((resolve) => {
        waiting.set(name, [...(waiting.get(name) ?? []), resolve]);
      }),
    close: () => app.close(),
  };
}

/** Declares the queue as the service does: durable, quorum. */
export async function declareQueue(url: string, queue: string): Promise<void> {
  const connection = await connect(url);
  const channel = await connection.createChannel();
  await channel.assertQueue(queue, { durable: true, arguments: { 'x-queue-type': 'quorum' } });
  await connection.close();
}

async function microserviceOptions(transport: ScriptedTransport): Promise<MicroserviceOptions> {
  if (transport.transport === 'tcp') {
    return { transport: Transport.TCP, options: { host: '127.0.0.1', port: transport.port } };
  }
  const { url, queue } = transport;
  await declareQueue(url, queue);
  return { strategy: new DrainingServerRmq({ urls: [url], queue, noAssert: true, noAck: true }) };
}

/** Nest's server, which drops answers that the broker has not confirmed when it is closed. */
class DrainingServerRmq extends ServerRMQ implements CustomTransportStrategy {
  private current: ConfirmChannel | undefined;

  override async setupChannel(channel: ConfirmChannel, callback: () => void): Promise<void> {
    this.current = channel;
    await super.setupChannel(channel, callback);
  }

  override async close(): Promise<void> {
    await this.current?.waitForConfirms();
    await super.close();
  }
}
