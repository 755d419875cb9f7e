import type { ComposedStatement } from '../composer/compose-set-statement.js';
import type { DatabaseErrorFields } from './database-errors.js';

/** Where the function is, and what differs between those who use it. */
export interface ExecutePlanOptions {
  /** Of the function, with its schema. Quoted. */
  name: string;
  /** The function from which the statements take their rows. It takes `seqs` and `given`. Quoted, with its schema. */
  rows: string;
  /** Statements of PL/pgSQL that are executed at the end. Default: none. */
  check?: string;
}

/** The error that a row was refused with. Its texts are cut, because PostgreSQL quotes values of any size. */
export interface RowError extends DatabaseErrorFields {
  /** The number of characters that are missing at the ends of `message` and `detail`. */
  unsent: number;
}

/** A block that was executed, see `createExecutePlan`. Rows are counted from 1, through all steps. */
export interface BlockTry {
  from: number;
  to: number;
  /** Why it was undone. Absent when it took effect. */
  state?: string;
  /** The rows of the statement that failed. Absent when the block took effect. */
  failedFrom?: number;
  failedTo?: number;
  /** The rows from `from` to this one were refused. Absent when no row was refused by this try. */
  refusedTo?: number;
}

/** Rows are counted from 1, through all steps. */
export interface PlanAnswer {
  /** Rows up to this one have a verdict. */
  executed: number;
  /**
   * Null when every row has a verdict. `fold`: the next row stands for several operations and was refused. `blocks`,
   * `budget`: a limit was reached. `transaction`: the next row may have failed only because an earlier one took effect
   * in the same transaction, see `TransactionBound`. `as_one`: see `CallOptions.mode`.
   */
  stoppedBy: 'blocks' | 'budget' | 'fold' | 'transaction' | 'as_one' | null;
  /** The subtransactions that stay, those of earlier calls in the transaction included. */
  blocks: number;
  /** `TransactionBound.group` of the operations that have taken effect in the transaction. */
  tainted: string[];
  /** For each step: the number of statements that were sent, including those that were undone. */
  sent: number[];
  /** For each step: whether one of its statements failed, so that its operations were isolated. */
  isolated: boolean[];
  /** The rows that did not change exactly one row, and how many rows each of them changed. */
  otherRows: number[];
  otherChanges: number[];
  /** The number of refused rows that did not look bad. */
  unexpected: number;
  /** Rows that were refused, each alone, or all from one row to another because their statement cannot run. */
  failures: { from: number; to: number; error: RowError }[];
  /**
   * The first blocks that were tried, in their order. Without a failure it is empty, or all of its blocks took effect.
   * It is always empty when each row is executed alone from the start.
   */
  tries: BlockTry[];
  /** How many more there were. */
  omittedTries: number;
}

/** More would be too much to read, and to store. */
export const MOST_TRIES = 200;

/** The SQLSTATE with which the function reports that a statement changed a wrong number of rows. */
export const UNEXPECTED_ROWS = 'BS001';

/** Null: any number of rows may change. */
export const answersOrdinals = ({ answers }: ComposedStatement): boolean | null =>
  answers === 'any' ? null : answers === 'ordinals';

/**
 * The function that executes groups of rows in one call, and isolates the rows that the database refuses. It returns
 * `PlanAnswer`. Its arguments:
 *
 * - For each distinct statement: `texts`; `lone_texts`, its form for one row, if it differs; `answers_ordinals`, see
 *   `answersOrdinals`; `names`, under which the session may keep it prepared; `bounds`, see `TransactionBound`.
 * - For each group, in the order of execution: `groups`, the number of its statement; `sizes`, how many rows it has;
 *   `folded`, whether one of them stands for several operations.
 * - For each row: `seqs`, the number of its operation; `given`, its values, a JSON array of texts. A statement gets
 *   both, as its parameters, for its rows.
 * - `suspects`: rows that will probably be refused, in ascending order. Each of them is a block by itself.
 * - `kinds`: what a SQLSTATE, or its class, means. `expected_share`: the share of rows that will be refused.
 * - `one_by_one`, `as_one`: see `CallOptions`. `most_blocks`, `budget`: its limits. `blocks`, `tainted`: what an
 *   earlier call in the transaction has left.
 *
 * The rows of all groups are one sequence, in the order of execution. A block is a part of that sequence. It is a
 * subtransaction: it takes effect as a whole, or not at all. If no refusal is expected, the first block has all rows.
 * After a failure, the rows before the failed statement are one block, because they are known to be good. The rows of
 * the failed statement are halved, down to a single one. The share of refused rows decides the size of later blocks. So
 * a row is refused only if it failed alone, at its place, after all rows before it had taken effect. `tries` tells how
 * this went, block by block. If the first block has all rows and succeeds, nothing is noted.
 *
 * A failure that says nothing about a row is raised. Transient failures are known by their class. No handler catches
 * others, such as a cancelled statement.
 */
export const createExecutePlan = ({ name, rows, check = '' }: ExecutePlanOptions): string => `
create or replace function ${name}(
  texts text[], lone_texts text[], answers_ordinals boolean[], names text[], bounds jsonb,
  groups int[], sizes int[], folded boolean[],
  seqs int8[], given jsonb[],
  suspects int[], kinds jsonb, one_by_one boolean, as_one boolean, most_blocks int, budget interval, expected_share float8,
  blocks int, tainted text[]
) returns json language plpgsql as $function$
declare
  total int := coalesce(cardinality(seqs), 0);
  -- The last row of each group.
  ends int[] := '{}';
  largest int := 0;
  deadline timestamptz := clock_timestamp() + budget;
  -- The next row, and its group or one before it.
  next_row int := 1;
  next_group int := 1;
  -- Rows up to this one have succeeded together, before they were undone.
  good_until int := 0;
  -- At least one of the rows up to this one is bad.
  bad_until int := 0;
  -- The share of rows that are refused, as far as is known. What was expected counts as much as a hundred rows.
  share float8;
  block_end int;
  -- The statement under way: its first row, how many rows, its group and its text.
  first_row int;
  size int;
  this_group int;
  this_text int;
  lone boolean;
  this_name text;
  command text;
  prepared text[];
  part int8[];
  part_given jsonb[];
  walk text := current_setting('enable_seqscan');
  ordinals int[];
  all_ordinals int[];
  counts int[];
  changed bigint;
  -- Rows of statements that did not change one row for each: of this block, and of all.
  block_rows int[];
  block_changes int[];
  other_rows int[] := '{}';
  other_changes int[] := '{}';
  sent int[] := array_fill(0, array[cardinality(groups)]);
  isolated boolean[] := array_fill(false, array[cardinality(groups)]);
  block_tainted text[];
  bound jsonb;
  -- The constraints that are deferred while a statement runs: the initially deferred ones, or all if no other can be.
  -- A constraint is checked at once if another one of its schema has the same name and is not deferrable.
  deferred text;
  -- For each text: whether it runs without rows. Null if that was not tried.
  sound boolean[] := array_fill(null::boolean, array[cardinality(texts)]);
  -- The row that failed alone for a reason that may not be its own, and is tried again.
  doubted_row int := 0;
  -- The number of refused rows that were not suspects.
  refused int := 0;
  next_suspect int;
  suspects_passed int := 0;
  -- The row that an error points at.
  named_row int := 0;
  named_value text;
  failures jsonb[] := '{}';
  failure jsonb;
  state text;
  probe_state text;
  kind text;
  said text;
  detail text;
  of_constraint text;
  of_column text;
  of_table text;
  of_schema text;
  stopped_by text;
  -- See BlockTry.
  tries jsonb[] := '{}';
  omitted_tries int := 0;
  i int;
begin
  foreach i in array sizes loop
    ends := ends || coalesce(ends[cardinality(ends)], 0) + i;
    largest := greatest(largest, i);
  end loop;
  select array_agg(n order by n) into all_ordinals from generate_series(1, largest) n;
  select case when bool_and(c.condeferred) then 'all' else string_agg(format('%I.%I', n.nspname, c.conname), ', ') filter (
    where c.condeferred and has_schema_privilege(n.oid, 'usage') and not exists (
      select from pg_constraint o where o.connamespace = c.connamespace and o.conname = c.conname and not o.condeferrable
    )) end into deferred
  from pg_constraint c join pg_namespace n on n.oid = c.connamespace
  where c.condeferrable and not pg_is_other_temp_schema(n.oid);

  while next_row <= total loop
    if blocks >= most_blocks then stopped_by := 'blocks'; exit; end if;
    -- Not before a row was executed: otherwise the next call would get no further.
    if next_row > 1 and clock_timestamp() > deadline then stopped_by := 'budget'; exit; end if;
    share := (refused + 100 * expected_share) / (next_row + 100);
    if as_one then block_end := total;
    elsif one_by_one then block_end := next_row;
    elsif next_row <= good_until then block_end := good_until;
    elsif next_row <= bad_until then block_end := next_row + (bad_until - next_row) / 2;
    elsif share = 0 then block_end := total;
    else
      -- Such a block succeeds every second time.
      block_end := least(total, next_row - 1 + greatest(1, floor(0.7 / share))::int);
      -- If a block has only one group, a failure undoes no group that succeeded. This takes more blocks.
      if cardinality(groups) - next_group < (most_blocks - blocks) / 2 then
        block_end := least(block_end, ends[case when next_row > ends[next_group] then next_group + 1 else next_group end]);
      end if;
    end if;
    while suspects[suspects_passed + 1] < next_row loop suspects_passed := suspects_passed + 1; end loop;
    next_suspect := least(suspects[suspects_passed + 1], case when named_row >= next_row then named_row end);
    if next_suspect <= block_end and not as_one then block_end := greatest(next_row, next_suspect - 1); end if;
    block_rows := '{}';
    block_changes := '{}';
    block_tainted := '{}';
    first_row := next_row;
    this_group := next_group;
    begin
      while first_row <= block_end loop
        while first_row > ends[this_group] loop this_group := this_group + 1; end loop;
        size := least(block_end, ends[this_group]) - first_row + 1;
        this_text := groups[this_group];
        part := seqs[first_row:first_row + size - 1];
        if given is not null then
          part_given := '{}';
          for i in first_row .. first_row + size - 1 loop part_given := array_append(part_given, given[i]); end loop;
        end if;
        sent[this_group] := sent[this_group] + 1;
        lone := size = 1 and lone_texts[this_text] is not null;
        this_name := names[this_text] || case when lone then '.1' else '' end;
        command := case when lone then lone_texts[this_text] else texts[this_text] end;
        if this_name is not null then
          prepared := coalesce(prepared, array(select p.name from pg_prepared_statements p where p.name like 'batch.target.%'));
          if this_name <> all (prepared) then
            if lone or answers_ordinals[this_text] is not true then
              -- A prepared statement that is executed from here does not report how many rows it changed.
              command := format('with changed as (%s returning 1) select count(*) from changed', command);
            end if;
            execute format('prepare %I(int8[], jsonb[]) as %s', this_name, command);
            prepared := array_append(prepared, this_name);
          end if;
          command := format('execute %I(%L, %L)', this_name, part, part_given);
        end if;
        -- A kept plan was perhaps made when few operations were stored. It must find each by its number all the same.
        perform set_config('enable_seqscan', case when this_name is null then walk else 'off' end, true);
        -- A deferred constraint is checked when its statement ends, after its triggers and cascades. At the commit, no
        -- row could be blamed.
        if deferred is not null then execute format('set constraints %s deferred', deferred); end if;
        if answers_ordinals[this_text] and not lone then
          execute command into ordinals using part, part_given;
          changed := coalesce(cardinality(ordinals), 0);
        elsif this_name is not null then
          execute command into changed;
        else
          execute command using part, part_given;
          get diagnostics changed = row_count;
        end if;
        bound := nullif(bounds->(this_text - 1), 'null');
        -- A trigger may have deferred other constraints.
        if deferred is not null or (bound->>'opaque')::boolean then set constraints all immediate; end if;
        if size = 1 and changed = 0 and lone and jsonb_array_length(bound->'keys') > 0 and bound->>'group' = any (tainted || block_tainted) then
          -- It was ignored. In a transaction of its own it might not be.
          stopped_by := 'transaction';
          total := first_row - 1;
          exit;
        end if;
        if bound is not null then block_tainted := array_append(block_tainted, bound->>'group'); end if;
        if size = 1 then
          if changed <> 1 then
            block_rows := array_append(block_rows, first_row);
            block_changes := array_append(block_changes, changed::int);
          end if;
        elsif answers_ordinals[this_text] then
          if ordinals is distinct from all_ordinals[1:size] then
            counts := array_fill(0, array[size]);
            foreach i in array coalesce(ordinals, '{}') loop counts[i] := counts[i] + 1; end loop;
            for i in 1 .. size loop
              continue when counts[i] = 1;
              if counts[i] > 1 then
                raise exception 'one of % rows changed % rows', size, counts[i] using errcode = 'BS001';
              end if;
              block_rows := array_append(block_rows, first_row + i - 1);
              block_changes := array_append(block_changes, counts[i]);
            end loop;
          end if;
        elsif changed <> size and answers_ordinals[this_text] is not null then
          raise exception '% rows changed % rows', size, changed using errcode = 'BS001';
        end if;
        first_row := first_row + size;
        exit when clock_timestamp() > deadline and not as_one;
      end loop;
      blocks := blocks + 1;
      other_rows := other_rows || block_rows;
      other_changes := other_changes || block_changes;
      tainted := tainted || block_tainted;
      -- If no failure was expected, the first block has all rows, so a failure comes before all blocks that succeed.
      if (cardinality(tries) > 0 or expected_share > 0) and not one_by_one and first_row > next_row then
        if cardinality(tries) < ${MOST_TRIES} then
          tries := array_append(tries, jsonb_build_object('from', next_row, 'to', first_row - 1));
        else
          omitted_tries := omitted_tries + 1;
        end if;
      end if;
      next_row := first_row;
      next_group := this_group;
    exception when assert_failure or others then
      get stacked diagnostics
        state = returned_sqlstate, said = message_text, detail = pg_exception_detail, of_constraint = constraint_name,
        of_column = column_name, of_table = table_name, of_schema = schema_name;
      kind := case when state = 'BS001' then 'transient' else coalesce(kinds->>state, kinds->>left(state, 2), 'unknown') end;
      if kind = 'transient' then raise; end if;
      if one_by_one then null;
      elsif cardinality(tries) < ${MOST_TRIES} then
        tries := array_append(tries, jsonb_build_object(
          'from', next_row, 'to', block_end, 'state', state, 'failedFrom', first_row, 'failedTo', first_row + size - 1));
      else
        omitted_tries := omitted_tries + 1;
      end if;
      if as_one then
        stopped_by := 'as_one';
        total := 0;
        -- Statements that were sent behind this one read it: see selectContents.
        perform set_config('batch.undone', 'on', true);
        continue;
      end if;
      isolated[this_group] := isolated[this_group] or not one_by_one and (sizes[this_group] > 1 or folded[this_group]);
      if folded[this_group] then
        -- A row that stands for several operations has no verdict: the caller tries again with the operations.
        stopped_by := 'fold';
        total := first_row - 1;
        good_until := total;
        continue;
      end if;
      if first_row > next_row then
        good_until := first_row - 1;
        bad_until := good_until + size;
        continue;
      end if;
      good_until := 0;
      if kind = 'unknown' and size = 1 or kind = 'systemic' and size > 1 and sound[this_text] is null then
        -- The statement without rows shows whether a row is to blame. It leaves no trace.
        sent[this_group] := sent[this_group] + 1;
        begin
          execute coalesce(lone_texts[this_text], texts[this_text]) using '{}'::int8[], '{}'::jsonb[];
          raise exception using errcode = 'BS002';
        exception when assert_failure or others then
          get stacked diagnostics probe_state = returned_sqlstate;
          sound[this_text] := probe_state = 'BS002';
          if not sound[this_text] then
            get stacked diagnostics
              state = returned_sqlstate, said = message_text, detail = pg_exception_detail, of_constraint = constraint_name,
              of_column = column_name, of_table = table_name, of_schema = schema_name;
            kind := coalesce(kinds->>state, kinds->>left(state, 2), 'unknown');
            if kind in ('transient', 'unknown') then raise; end if;
          end if;
        end;
      end if;
      failure := jsonb_strip_nulls(jsonb_build_object(
        'code', state, 'message', left(said, 4000), 'detail', nullif(left(detail, 4000), ''),
        'unsent', greatest(length(said) - 4000, 0) + greatest(length(detail) - 4000, 0), 'constraint', nullif(left(of_constraint, 2000), ''),
        'column', nullif(left(of_column, 2000), ''), 'table', nullif(of_table, ''), 'schema', nullif(of_schema, '')));
      next_group := this_group;
      bound := nullif(bounds->(this_text - 1), 'null');
      -- In a partition, the error names the index and the table of the partition.
      if size = 1 and bound is not null and bound->>'group' = any (tainted) and (
        state in ('23505', '23P01') and (bound->'keys' ? of_constraint or exists (
          select from pg_partition_ancestors(to_regclass(format('%I.%I', of_schema, of_constraint))) a join pg_class c on c.oid = a.relid
          where bound->'keys' ? c.relname))
        or (bound->>'opaque')::boolean and (
          state in ('42P07', '42710')
          or state in ('23505', '23P01') and (of_schema, of_table) is distinct from (bound->>'schema', bound->>'table')
            and not exists (
              select from pg_partition_ancestors(to_regclass(format('%I.%I', of_schema, of_table))) a
              where a.relid = to_regclass(format('%I.%I', bound->>'schema', bound->>'table'))))
      ) then
        -- Perhaps only the transaction is the reason, for example now(). The next chunk begins with this row.
        stopped_by := 'transaction';
        total := next_row - 1;
        continue;
      end if;
      if size > 1 and kind = 'systemic' and not sound[this_text] then
        failures := array_append(failures, jsonb_build_object('from', next_row, 'to', ends[this_group], 'error', failure));
        next_row := ends[this_group] + 1;
      elsif size > 1 then
        bad_until := next_row + size - 1;
        -- A hint: errors often show a value of the row. Key (a)=(7), Failing row contains (7, …), invalid input: "7"
        named_value := coalesce(
          substring(detail from '\\)=\\((.*)\\)'), split_part(substring(detail from '\\((.*)\\)'), ', ', 1), substring(said from '"([^"]*)"$'));
        if named_value <> '' then
          select next_row - 1 + min(r.ord)::int into named_row from ${rows}(part, part_given) r
          where exists (select from jsonb_array_elements_text(r.cells) c where c = named_value);
          named_row := coalesce(named_row, 0);
        end if;
      elsif kind = 'unknown' and doubted_row <> next_row then
        doubted_row := next_row;
        bad_until := next_row;
      else
        failures := array_append(failures, jsonb_build_object('from', next_row, 'to', next_row, 'error', failure));
        if suspects[suspects_passed + 1] is distinct from next_row then refused := refused + 1; end if;
        next_row := next_row + 1;
        bad_until := 0;
      end if;
      if next_row > first_row and cardinality(tries) > 0 and omitted_tries = 0 then
        i := cardinality(tries);
        tries[i] := tries[i] || jsonb_build_object('refusedTo', next_row - 1, 'state', state);
      end if;
    end;
  end loop;

${check}
  return json_build_object(
    'executed', next_row - 1, 'stoppedBy', stopped_by, 'blocks', blocks, 'tainted', tainted, 'sent', sent, 'isolated', isolated,
    'unexpected', refused, 'otherRows', other_rows, 'otherChanges', other_changes, 'failures', to_json(failures),
    'tries', to_json(tries), 'omittedTries', omitted_tries);
end
$function$`;
