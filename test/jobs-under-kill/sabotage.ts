import type { ItemListener } from '../../src/batch/chunk/item-listener.js';
import type { ItemReader, ItemStream, ItemWriter } from '../../src/batch/chunk/item.js';
import type { SqlClient } from '../../src/interfaces/sql.js';
import { afterCommit, beforeCommit, duringIsolation, type KillPlan } from './kill-point.js';

/** The parts of a job's step that a control replaces by wrong ones. */
export interface Parts<T> {
  reader: ItemReader<T, SqlClient> & ItemStream & { name: string };
  writer: ItemWriter<T, void, SqlClient> & ItemStream;
  listener: ItemListener<T, T, SqlClient>;
}

export interface Sabotage {
  /** A word of a violation that it has to cause. */
  shows: string;
  /** Where its process has to die for it to show. */
  plan: KillPlan;
  apply<T>(parts: Parts<T>, outside: SqlClient): Parts<T>;
}

/** Mistakes in the parts that a user writes, and one of an engine. The checker has to find each. */
export const SABOTAGES = {
  'write-outside': {
    shows: 'doubled',
    plan: beforeCommit,
    apply: ({ writer, ...others }, outside) => ({
      ...others,
      writer: {
        open: (context, scope) => writer.open?.(context, scope),
        write: (items, context) => writer.write(items, { ...context, tx: outside }),
      },
    }),
  },
  'forget-position': {
    shows: 'doubled',
    plan: afterCommit,
    apply: ({ reader, ...others }) => ({
      ...others,
      reader: {
        name: reader.name,
        open: (context, scope) => reader.open?.(context, scope),
        read: (context) => reader.read(context),
        close: () => reader.close?.(),
      },
    }),
  },
  'tell-outside': {
    shows: 'told',
    plan: beforeCommit,
    apply: ({ listener, ...others }, outside) => ({
      ...others,
      listener: {
        onSkipInRead: (error, context) => listener.onSkipInRead?.(error, { ...context, tx: outside }),
        onSkipInProcess: (item, error, context) => listener.onSkipInProcess?.(item, error, { ...context, tx: outside }),
        onSkipInWrite: (item, error, context) => listener.onSkipInWrite?.(item, error, { ...context, tx: outside }),
      },
    }),
  },
  /** The position of the whole chunk is stored before the chunk is written: a restart inside a scan loses the rest of the chunk. */
  'position-first': {
    shows: 'lost',
    plan: duringIsolation,
    apply: ({ reader, listener, ...others }, outside) => ({
      ...others,
      reader,
      listener: {
        ...listener,
        beforeWrite: async (_, { scope: { step } }) => {
          await reader.update?.(step.context.of(reader.name));
          await outside.query({
            text: 'update batch.step_executions set context = $2::json where id = $1::int8',
            values: [step.id, JSON.stringify(step.context)],
          });
        },
      },
    }),
  },
} satisfies Record<string, Sabotage>;

export type SabotageName = keyof typeof SABOTAGES;
