import type { Settings } from '../../../src/services/config/settings.js';
import type { TestDatabase } from '../../support/database.js';

interface LedgerOperation {
  id: string;
  seq: string;
  waits: boolean;
  /** Of its outcome; null where there is none. */
  status: string | null;
  outcomeChunk: string | null;
  outcomeAgeHours: number | null;
}

interface LedgerChunk {
  id: string;
  ageHours: number;
  unnotified: boolean;
  seqs: string[];
}

/** The tables of the queue as they are, in a form that the model can look through. */
export interface Ledger {
  operations: LedgerOperation[];
  chunks: LedgerChunk[];
}

export async function readLedger({ client }: TestDatabase): Promise<Ledger> {
  const { rows: operations } = await client.query<LedgerOperation>(`
    select o.id, o.seq, x.status, x.chunk_id as "outcomeChunk",
      extract(epoch from now() - x.settled_at)::float8 / 3600 as "outcomeAgeHours",
      o.seq in (select seq from batch.pending union all select seq from batch.delayed) as waits
    from batch.operations o left join batch.outcomes x using (seq)`);
  const { rows: chunks } = await client.query<LedgerChunk>(`
    select c.id, extract(epoch from now() - c.settled_at)::float8 / 3600 as "ageHours",
      notify and notified_at is null
        or exists (select from batch.parked_notifications p where p.chunk_id = c.id) as unnotified,
      array(select o.seq::text from batch.operations o where c.seqs @> o.seq) as seqs
    from batch.chunks c`);
  return { operations, chunks };
}

/** Says the same as the statements of retention, one operation after the other. */
export function expectedToStay(
  { operations, chunks }: Ledger,
  { completedHours, failedHours }: Settings['retention'],
): { operations: string[]; chunks: string[] } {
  const isOld = (ageHours: number, hours: number): boolean => hours > 0 && ageHours > hours;
  const stays = (operation: LedgerOperation): boolean => {
    if (operation.waits) return true;
    const chunk =
      operation.status === null
        ? chunks.filter(({ seqs }) => seqs.includes(operation.seq)).at(-1)
        : chunks.find(({ id }) => id === operation.outcomeChunk);
    const ageHours = operation.outcomeAgeHours ?? chunk?.ageHours;
    if (ageHours === undefined) throw new Error(`Operation ${operation.seq} was settled by nobody`);
    const hours = (operation.status ?? 'completed') === 'completed' ? completedHours : failedHours;
    return chunk?.unnotified === true || !isOld(ageHours, hours);
  };
  const kept = operations.filter(stays);
  const seqs = new Set(kept.map(({ seq }) => seq));
  const chunkHours = completedHours === 0 || failedHours === 0 ? 0 : Math.max(completedHours, failedHours);
  const keptChunks = chunks.filter(
    (chunk) => chunk.unnotified || !isOld(chunk.ageHours, chunkHours) || chunk.seqs.some((seq) => seqs.has(seq)),
  );
  return { operations: kept.map(({ id }) => id).sort(), chunks: keptChunks.map(({ id }) => id).sort() };
}
