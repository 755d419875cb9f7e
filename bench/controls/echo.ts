import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { connect } from 'amqplib';
import { ClientRMQ } from '@nestjs/microservices';
import { firstValueFrom } from 'rxjs';
import { v7 as uuid } from 'uuid';
import { NODE_FLAGS } from '../../test/support/node-flags.js';
import { uniqueName } from '../../test/support/unique-name.js';
import type { Contestant, Runner, Stage } from '../contest/contest.js';
import { items } from '../rows/items.js';
import { connectProxy } from '../service/rpc/callers.js';
import { callEach } from '../service/rpc/in-flight.js';
import { toRequest } from '../service/rpc/item-requests.js';
import { SEND_AT_ONCE } from '../stage/send-at-once.js';
import { ECHO_PATTERN, ECHO_QUEUE_OPTIONS, ECHO_UP } from './echo-protocol.js';

const ROOT = join(import.meta.dirname, '../..');

/**
 * The limit of single calls: a NestJS microservice that does nothing, with NestJS' own client. As with the service, messages are
 * persistent and the queue is durable; but it is a classic queue, NestJS' default, which is cheaper than the service's quorum queue.
 */
export function emptyEcho(inFlight: number): Contestant {
  return { name: 'empty echo', open: (stage) => openEcho(stage, inFlight) };
}

async function openEcho({ rabbitmqUrl, scale }: Stage, inFlight: number): Promise<Runner> {
  const queue = uniqueName('bench_echo');
  const requests = items(scale.operations).map(toRequest);
  const server = await startEchoServer(rabbitmqUrl, queue);
  const proxy = await connectProxy(
    new ClientRMQ({
      ...{ urls: [rabbitmqUrl], queue, queueOptions: ECHO_QUEUE_OPTIONS, persistent: true },
      socketOptions: SEND_AT_ONCE,
    }),
  );
  let mistakes = 0;
  let answers = 0;
  return {
    processes: [server.pid],
    async prepare() {
      mistakes = answers = 0;
    },
    run: () =>
      callEach(requests, inFlight, async (request) => {
        // As much as the service is sent.
        const identified = { ...request, id: uuid() };
        const answer = await firstValueFrom(proxy.send<typeof identified>(ECHO_PATTERN, identified));
        answers += 1;
        if (answer.id !== identified.id) mistakes += 1;
      }),
    async verify() {
      if (answers === requests.length && mistakes === 0) return;
      throw new Error(`The echo gave ${answers} answers to ${requests.length} calls, ${mistakes} of them wrong`);
    },
    async close() {
      await proxy.close();
      await server.stop();
      await deleteQueue(rabbitmqUrl, queue);
    },
  };
}

interface EchoServer {
  pid: number;
  stop(): Promise<void>;
}

/** Resolves when it serves. */
async function startEchoServer(url: string, queue: string): Promise<EchoServer> {
  // As the service: the same flags, and nothing of the developer's own environment.
  const command = [...NODE_FLAGS, '--import', 'tsx', join(import.meta.dirname, 'echo-main.ts'), url, queue];
  const child = spawn(process.execPath, command, {
    cwd: ROOT,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, NODE_ENV: 'production' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    await exited;
  };
  for await (const line of createInterface(child.stdout)) {
    if (line === ECHO_UP) return { pid: child.pid!, stop };
  }
  throw new Error('The echo ended before it served');
}

async function deleteQueue(url: string, queue: string): Promise<void> {
  const connection = await connect(url);
  const channel = await connection.createChannel();
  await channel.deleteQueue(queue);
  await connection.close();
}
