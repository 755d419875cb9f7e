import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { FtpPlace } from '../../../src/parts/files/files-settings.js';
import { openFileStore } from '../../../src/parts/files/open-file-store.js';

// Stores, lists, reads and removes files on the FTP server that FTP_PLACE names, and prints what it has seen, or why it failed. It is a process of its own,
// because Node reads NODE_EXTRA_CA_CERTS once, when a process starts.

const place = JSON.parse(process.env.FTP_PLACE!) as FtpPlace;
process.once('uncaughtException', ({ code, message }: Error & { code?: string }) => {
  console.log(JSON.stringify({ code, message }));
  process.exit();
});
const store = await openFileStore({ place, timeoutMs: 30_000 });
const contents = new Map([
  ['tls/empty.txt', Buffer.alloc(0)],
  ['tls/größe 1.csv', Buffer.from('id\n1\n')],
  ['tls/large.bin', randomBytes(5_000_000)],
]);

for (const [path, content] of contents) await store.put(path, content);
await store.put('tls/large.bin', Readable.from([contents.get('tls/large.bin')!], { objectMode: false }));
const listed = await store.list('tls');
const same = await Promise.all(
  [...contents].map(async ([path, content]) => content.equals(await buffer(await store.get(path)))),
);
await store.remove('tls/empty.txt');
await store.remove('tls/nowhere.txt');
const left = await store.list('tls');

console.log(
  JSON.stringify({
    listed: listed.map(({ path, bytes }) => [path, bytes]),
    same,
    left: left.map(({ path }) => path),
  }),
);
