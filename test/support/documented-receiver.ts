import { readFileSync } from 'node:fs';
import { join } from 'node:path';

interface DocumentedReceiver {
  isFromBatchService(body: string, header: string | undefined, secret: string): boolean;
}

/** The check of a webhook's signature as docs/alerts.md shows it to receivers. */
export async function documentedReceiver(): Promise<DocumentedReceiver> {
  const page = readFileSync(join(import.meta.dirname, '../../docs/alerts.md'), 'utf8');
  const [, code] = /```js\n(.*?)```/s.exec(page)!;
  return (await import(`data:text/javascript,${encodeURIComponent(code!)}`)) as DocumentedReceiver;
}
