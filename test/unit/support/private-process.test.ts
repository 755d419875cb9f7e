import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { freePort } from '../../support/free-port.js';
import { privateFolder, startPrivateProcess } from '../../support/services/private-process.js';

const TIMEOUT_MS = 8000;
const serving = (port: number): string[] => [
  process.execPath,
  '--eval',
  `require('node:net').createServer().listen(${port}, '127.0.0.1')`,
];

describe('a service that the tests start for themselves', () => {
  it('serves until it is stopped, and leaves no folder behind', async () => {
    const port = await freePort();
    const folder = await privateFolder('unit');
    const ready = (): Promise<void> => connects(port);
    const service = await startPrivateProcess({
      name: 'listener',
      command: serving(port),
      folder,
      ready,
      timeoutMs: TIMEOUT_MS,
    });
    await expect(connects(port)).resolves.toBeUndefined();
    await service.stop();
    await expect(connects(port)).rejects.toThrow('ECONNREFUSED');
    expect(existsSync(folder)).toBe(false);
  });

  it('can be killed and started again in its folder', async () => {
    const port = await freePort();
    const folder = await privateFolder('unit');
    const service = await startPrivateProcess({
      name: 'listener',
      command: serving(port),
      folder,
      ready: () => connects(port),
      timeoutMs: TIMEOUT_MS,
    });
    try {
      await service.kill();
      await expect(connects(port)).rejects.toThrow('ECONNREFUSED');
      expect(existsSync(folder)).toBe(true);
      await service.restart();
      await expect(connects(port)).resolves.toBeUndefined();
    } finally {
      await service.stop();
    }
    expect(existsSync(folder)).toBe(false);
  });

  it('is reported with the end of its output when it does not start, without waiting for the time-out', async () => {
    const folder = await privateFolder('unit');
    const starting = startPrivateProcess({
      name: 'broken service',
      command: [process.execPath, '--eval', `console.error('no such disk'); process.exit(1)`],
      folder,
      ready: () => Promise.reject(new Error('nobody listens')),
      timeoutMs: 60_000,
    });
    await expect(starting).rejects.toThrow(/broken service .* ended at once\. Its output ends with:\nno such disk/);
    expect(existsSync(folder)).toBe(false);
  });

  it('is stopped when it is not ready in time', async () => {
    const port = await freePort();
    const starting = startPrivateProcess({
      name: 'silent service',
      command: serving(port),
      folder: await privateFolder('unit'),
      // It serves, so that its end can be seen, but is never ready.
      ready: async () => {
        await connects(port).catch(() => undefined);
        throw new Error('never ready');
      },
      timeoutMs: 500,
    });
    await expect(starting).rejects.toThrow('silent service');
    await expect(connects(port)).rejects.toThrow('ECONNREFUSED');
  });
});

function connects(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve();
    });
    socket.on('error', reject);
  });
}
