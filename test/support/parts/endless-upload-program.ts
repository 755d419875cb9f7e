import { Readable } from 'node:stream';
import type { FtpPlace } from '../../../src/parts/files/files-settings.js';
import { openFileStore } from '../../../src/parts/files/open-file-store.js';

// Stores a file without an end, until it is killed. FTP_PLACE names the server, and FTP_PATH the file.

const place = JSON.parse(process.env.FTP_PLACE!) as FtpPlace;
const store = await openFileStore({ place, timeoutMs: 60_000 });
const content = Readable.from(endless(), { objectMode: false });
await store.put(process.env.FTP_PATH!, content);

async function* endless(): AsyncGenerator<Buffer> {
  for (;;) {
    yield Buffer.alloc(10_000);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
