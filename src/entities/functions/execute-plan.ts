import type { DatabaseFunction } from './database-function.js';

/**
 * Executes a plan, and tells apart what the database refuses, in one call. `services/executor/plan-call.ts` describes its arguments
 * and its answer.
 *
 * The rows of all groups are one sequence, in the order of execution. A block is a part of that sequence. It takes effect as a whole,
 * or not at all: it is a subtransaction. The first block is everything. After a failure, what comes before the failed statement is a
 * block, since it is known to be good. Then the blocks shrink, down to a single row, and grow again after each success. So a row is
 * refused only if it failed alone, at its place, after everything before it had taken effect.
 *
 * What says nothing about a row is raised: transient failures by their class, and all that no handler catches, such as a cancelled
 * statement.
 */
export const EXECUTE_PLAN: DatabaseFunction = {
  name: 'execute_plan',
  version: 1,
  sql: `
create or replace function batch.execute_plan(
  texts text[], lone_texts text[], answers_ordinals boolean[],
  groups int[], sizes int[], folded boolean[],
  items text[], documents text[],
  kinds jsonb, one_by_one boolean, most_blocks int, budget interval
) returns json language plpgsql as $function$
declare
  total int := coalesce(cardinality(items), 0);
  -- The last row of each group.
  ends int[] := '{}';
  largest int := 0;
  deadline timestamptz := clock_timestamp() + budget;
  -- The next row, its group, and how many rows the next block has, and the one after it where that is known.
  next_row int := 1;
  next_group int := 1;
  block_size int := case when one_by_one then 1 else total end;
  size_after int;
  block_end int;
  blocks int := 0;
  -- The statement under way: its first row, how many rows, its group and its text.
  first_row int;
  size int;
  this_group int;
  this_text int;
  lone boolean;
  part text[];
  part_documents text[];
  ordinals int[];
  all_ordinals int[];
  counts int[];
  changed bigint;
  -- Rows of statements that did not change one row for each: of this block, and of all.
  block_rows int[];
  block_changes int[];
  other_rows int[] := '{}';
  other_changes int[] := '{}';
  -- What became of the groups.
  sent int[] := array_fill(0, array[cardinality(groups)]);
  isolated boolean[] := array_fill(false, array[cardinality(groups)]);
  -- For each text: whether it runs without rows. Null where that was not asked.
  sound boolean[] := array_fill(null::boolean, array[cardinality(texts)]);
  -- The row that failed alone for a reason that may not be its own, and is tried again.
  doubted_row int := 0;
  refused int := 0;
  failures jsonb[] := '{}';
  failure jsonb;
  state text;
  kind text;
  said text;
  detail text;
  of_constraint text;
  of_column text;
  of_table text;
  of_schema text;
  stopped_by text;
  i int;
begin
  foreach i in array sizes loop
    ends := ends || coalesce(ends[cardinality(ends)], 0) + i;
    largest := greatest(largest, i);
  end loop;
  select array_agg(n order by n) into all_ordinals from generate_series(1, largest) n;

  while next_row <= total loop
    if blocks >= most_blocks then stopped_by := 'blocks'; exit; end if;
    if clock_timestamp() > deadline then stopped_by := 'budget'; exit; end if;
    block_end := least(next_row + block_size - 1, total);
    block_rows := '{}';
    block_changes := '{}';
    first_row := next_row;
    this_group := next_group;
    begin
      while first_row <= block_end loop
        while first_row > ends[this_group] loop this_group := this_group + 1; end loop;
        size := least(block_end, ends[this_group]) - first_row + 1;
        this_text := groups[this_group];
        part := '{}';
        part_documents := '{}';
        for i in first_row .. first_row + size - 1 loop
          part := array_append(part, items[i]);
          part_documents := array_append(part_documents, documents[i]);
        end loop;
        sent[this_group] := sent[this_group] + 1;
        lone := size = 1 and lone_texts[this_text] is not null;
        if answers_ordinals[this_text] and not lone then
          execute texts[this_text] into ordinals using part, part_documents;
          changed := coalesce(cardinality(ordinals), 0);
        else
          ordinals := null;
          execute case when lone then lone_texts[this_text] else texts[this_text] end using part, part_documents;
          get diagnostics changed = row_count;
        end if;
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
        elsif changed <> size then
          raise exception '% rows changed % rows', size, changed using errcode = 'BS001';
        end if;
        first_row := first_row + size;
        exit when clock_timestamp() > deadline;
      end loop;
      blocks := blocks + 1;
      other_rows := other_rows || block_rows;
      other_changes := other_changes || block_changes;
      next_row := first_row;
      next_group := this_group;
      block_size := case when one_by_one then 1 else coalesce(size_after, least(block_size * 2, total)) end;
      size_after := null;
    exception when assert_failure or others then
      get stacked diagnostics
        state = returned_sqlstate, said = message_text, detail = pg_exception_detail, of_constraint = constraint_name,
        of_column = column_name, of_table = table_name, of_schema = schema_name;
      kind := case when state = 'BS001' then 'transient' else coalesce(kinds->>state, kinds->>left(state, 2), 'unknown') end;
      if kind = 'transient' then raise; end if;
      isolated[this_group] := isolated[this_group] or not one_by_one and (sizes[this_group] > 1 or folded[this_group]);
      if folded[this_group] then
        -- A row that stands for several operations has no verdict: the caller comes again with these operations themselves.
        stopped_by := 'fold';
        total := first_row - 1;
        block_size := greatest(1, first_row - next_row);
        continue;
      end if;
      if first_row > next_row then
        block_size := first_row - next_row;
        size_after := greatest(1, size / 4);
        continue;
      end if;
      failure := jsonb_strip_nulls(jsonb_build_object(
        'code', state, 'message', left(said, 4000), 'detail', nullif(left(detail, 4000), ''),
        'unsent', greatest(length(said) - 4000, 0) + greatest(length(detail) - 4000, 0), 'constraint', nullif(left(of_constraint, 2000), ''),
        'column', nullif(left(of_column, 2000), ''), 'table', nullif(of_table, ''), 'schema', nullif(of_schema, '')));
      if kind = 'unknown' and size = 1 or kind = 'systemic' and size > 1 and sound[this_text] is null then
        -- The statement without rows tells whether a row is to blame. It leaves no trace.
        sent[this_group] := sent[this_group] + 1;
        begin
          execute coalesce(lone_texts[this_text], texts[this_text]) using '{}'::text[], '{}'::text[];
          raise exception using errcode = 'BS002';
        exception when assert_failure or others then
          get stacked diagnostics
            state = returned_sqlstate, said = message_text, detail = pg_exception_detail, of_constraint = constraint_name,
            of_column = column_name, of_table = table_name, of_schema = schema_name;
          sound[this_text] := state = 'BS002';
          if state <> 'BS002' then
            kind := coalesce(kinds->>state, kinds->>left(state, 2), 'unknown');
            if kind in ('transient', 'unknown') then raise; end if;
            failure := jsonb_strip_nulls(jsonb_build_object(
              'code', state, 'message', left(said, 4000), 'detail', nullif(left(detail, 4000), ''),
              'unsent', greatest(length(said) - 4000, 0) + greatest(length(detail) - 4000, 0), 'constraint', nullif(left(of_constraint, 2000), ''),
              'column', nullif(left(of_column, 2000), ''), 'table', nullif(of_table, ''), 'schema', nullif(of_schema, '')));
          end if;
        end;
      end if;
      next_group := this_group;
      if size > 1 and kind = 'systemic' and not sound[this_text] then
        failures := array_append(failures, jsonb_build_object('from', next_row, 'to', ends[this_group], 'error', failure));
        next_row := ends[this_group] + 1;
        block_size := total;
      elsif size > 1 then
        block_size := greatest(1, size / 4);
      elsif kind = 'unknown' and doubted_row <> next_row then
        doubted_row := next_row;
        block_size := 1;
      else
        failures := array_append(failures, jsonb_build_object('from', next_row, 'to', next_row, 'error', failure));
        next_row := next_row + 1;
        -- Half of the rows that came on average to a refused one.
        refused := refused + 1;
        block_size := case when one_by_one then 1 else greatest(1, next_row / refused / 2) end;
      end if;
    end;
  end loop;

  return json_build_object(
    'executed', next_row - 1, 'stoppedBy', stopped_by, 'blocks', blocks, 'sent', sent, 'isolated', isolated,
    'otherRows', other_rows, 'otherChanges', other_changes, 'failures', to_json(failures));
end
$function$`,
};
