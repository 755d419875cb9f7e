import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { NODE_FLAGS } from '../../test/support/node-flags.js';
import { whileWatching } from '../service/rpc/watch-memory.js';
import type { ImportOrder, ImportResult } from './engine-protocol.js';

const MAIN = join(import.meta.dirname, 'engine-main.ts');

/** Imports a file in a process of its own. @returns what the engine says, and the most resident memory of its process */
export async function runEngine(order: ImportOrder): Promise<ImportResult & { rssMb: number }> {
  // As the service: the same flags, and nothing of the developer's own environment.
  const child = fork(MAIN, {
    execArgv: [...NODE_FLAGS, '--import', 'tsx'],
    env: { PATH: process.env.PATH, HOME: process.env.HOME, NODE_ENV: 'production' },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const ended = once(child, 'exit');
  const answer = async (): Promise<unknown> => {
    const [message] = (await Promise.race([
      once(child, 'message'),
      ended.then(() => Promise.reject(new Error('The process with the engine ended before it answered'))),
    ])) as unknown[];
    return message;
  };
  try {
    await answer();
    let result: ImportResult | undefined;
    const { engine } = await whileWatching({ engine: child.pid! }, async () => {
      child.send(order);
      result = (await answer()) as ImportResult;
    });
    return { ...result!, rssMb: Math.max(...engine) };
  } finally {
    if (child.connected) child.disconnect();
    await ended;
  }
}
