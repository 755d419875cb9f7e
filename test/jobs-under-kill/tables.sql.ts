import type { SqlStatement } from '../../src/interfaces/sql.js';
import { TAKEN_CODE, type SourceRow } from './rows.js';

/** The line is not unique: a row that is written twice has to be seen. */
export const CREATE_TABLES = `
  create schema old;
  create schema new;
  create table old.items (region int, line int, amount text, code text, note text, primary key (region, line));
  create table new.items (
    line int not null,
    amount numeric not null check (amount >= 0),
    code text unique,
    note text not null
  );
  create table new.told (phase text not null, line int not null);`;

export const clearTables = (): SqlStatement => ({ text: 'truncate old.items, new.items, new.told' });

/** Negative lines are no rows of the source. */
export const insertTaken = (): SqlStatement => ({
  text: `insert into new.items values (-1, 0, $1::text, 'taken')`,
  values: [TAKEN_CODE],
});

/** The order of the key is not that of the lines. */
export const insertSource = (rows: readonly SourceRow[]): SqlStatement => ({
  text: `
    insert into old.items (region, line, amount, code, note)
    select line % 7, line, amount, code, note
    from unnest($1::int[], $2::text[], $3::text[], $4::text[]) as source (line, amount, code, note)`,
  values: [
    rows.map(({ line }) => line),
    rows.map(({ amount }) => amount),
    rows.map(({ code }) => code),
    rows.map(({ note }) => note),
  ],
});

export const insertTold = (phase: string, line: number): SqlStatement => ({
  text: 'insert into new.told (phase, line) values ($1::text, $2::int4)',
  values: [phase, line],
});

export const selectWritten = (): SqlStatement => ({ text: 'select line from new.items where line > 0' });

export const selectTold = (): SqlStatement => ({ text: 'select phase, line from new.told' });

/** An item that could not be read has its line in the message only. */
export const selectSkipped = (instanceId: string): SqlStatement => ({
  text: `
    select k.phase, coalesce(k.item::json ->> 'line', substring(k.message from '^Line (\\d+) '))::int4 as line
    from batch.skipped_items k
    join batch.step_executions s on s.id = k.step_execution_id
    join batch.job_executions e on e.id = s.job_execution_id
    where e.job_instance_id = $1::int8`,
  values: [instanceId],
});
