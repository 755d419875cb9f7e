import { setTimeout as delay } from 'node:timers/promises';

const RETRY_MS = 100;
/** Requests that are under way at the same time. */
export const AT_ONCE = 32;

/**
 * Sends all items, 32 at the same time. An item that is answered with 503 is sent again until it is accepted.
 *
 * @param send answers the HTTP status
 * @param onAccepted is called with the number of items that are accepted so far
 * @returns how many items had to be sent again
 * @throws for any other status than 503 and 2xx, and for a request that is not answered
 */
export async function sendAll<Item>(
  items: readonly Item[],
  send: (item: Item) => Promise<number>,
  onAccepted: (count: number) => void = () => undefined,
): Promise<number> {
  const waiting = items.values();
  let accepted = 0;
  let sentAgain = 0;
  const sender = async (): Promise<void> => {
    // All senders take from one iterator, so each item is sent by one of them.
    for (const item of waiting) {
      if (!isAccepted(await send(item))) {
        sentAgain++;
        do await delay(RETRY_MS);
        while (!isAccepted(await send(item)));
      }
      onAccepted(++accepted);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, sender));
  return sentAgain;
}

function isAccepted(status: number): boolean {
  if (status >= 200 && status < 300) return true;
  if (status === 503) return false;
  throw new Error(`A request was answered with ${status}`);
}
