import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const MODULE = pathToFileURL(join(import.meta.dirname, '../../support/reset-socket.ts')).href;
// The server keeps its own side open, so that the end of the caller's connection is still under way when it is reset.
const PROGRAM = `
  import { once } from 'node:events';
  import { connect, createServer } from 'node:net';
  import { resetSocket } from '${MODULE}';
  const server = createServer({ allowHalfOpen: true }, (socket) => socket.resume().unref()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const caller = connect({ port: server.address().port, host: '127.0.0.1' });
  await once(caller, 'connect');
  const closed = once(caller, 'close');
  caller.end();
  resetSocket(caller);
  await closed;
  server.close().unref();
  console.log('closed');
`;

// Of a process that resets such a connection itself, Node 20 waits for the handle for ever, with a full core.
it('lets a process end that resets a connection while it is being ended', async () => {
  const program = ['--import', 'tsx', '--input-type=module', '--eval', PROGRAM];
  const { stdout } = await promisify(execFile)(process.execPath, program, { timeout: 20_000, killSignal: 'SIGKILL' });
  expect(stdout).toBe('closed\n');
});
