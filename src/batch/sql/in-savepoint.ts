import { sendAlong } from './send-along.js';
import type { SqlClient } from '../../interfaces/sql.js';

/**
 * Runs `work` within a transaction. If it throws, or `keep` refuses its result, what it did is undone, and the
 * transaction can go on. The savepoint costs no round trip: it travels with the first statement of `work`, and its
 * release with the next statement of the transaction.
 */
export async function inSavepoint<T>(
  tx: SqlClient,
  name: string,
  work: () => Promise<T>,
  keep: (result: T) => boolean = () => true,
): Promise<T> {
  const [begun, done] = await Promise.allSettled([tx.query({ text: `savepoint ${name}` }), work()]);
  // Without this savepoint, the rollback would find an older one and release the locks that were taken since.
  if (begun.status === 'rejected') throw begun.reason;
  if (done.status === 'rejected' || !keep(done.value)) {
    try {
      await tx.query({ text: `rollback to savepoint ${name}` });
    } catch (error) {
      // On a lost connection this fails too. The first error says why.
      throw done.status === 'rejected' ? done.reason : error;
    }
  }
  sendAlong(tx, { text: `release savepoint ${name}` });
  if (done.status === 'rejected') throw done.reason;
  return done.value;
}
