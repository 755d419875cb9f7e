import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * An operation becomes a shape and its values: what operations of the same kind have in common is stored once. Operations that are
 * stored already keep their key and their values as they were sent, as two texts (`by_column` is false).
 */
export class AddShapes1764700000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const statement of UP) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const statement of DOWN) await runner.query(statement);
  }
}

/** Everything of the view but where key, values and the rest of the shape come from. */
const view = (request: string, from: string): string => `create view batch.batch_operations as
  select o.seq, o.id, ${request}, o.priority,
    o.run_at, o.retry_limit, o.retry_on, o.source, o.lane, o.created_at,
    case
      when p.seq is not null then 'pending'
      when d.seq is not null then 'scheduled'
      else coalesce(x.status, 'completed')
    end as status,
    case
      when p.seq is not null or d.seq is not null then null
      else coalesce(x.rows_affected, 1)
    end as rows_affected,
    coalesce(p.attempts, d.attempts, x.attempts, 1::smallint) as attempts,
    coalesce(x.code, d.code) as code, coalesce(x.message, d.message) as message, x.constraint_name, x.column_name, x.sql_state,
    coalesce(x.chunk_id, c.id) as chunk_id,
    coalesce(x.settled_at, c.settled_at) as settled_at,
    d.available_at, d.reason as wait_reason, o.created_by
  from ${from}
  left join batch.pending p on p.lane = o.lane and p.priority = o.priority and p.seq = o.seq
  left join batch.delayed d on d.seq = o.seq
  left join batch.outcomes x on x.seq = o.seq and p.seq is null and d.seq is null
  left join lateral (
    select c.id, c.settled_at from batch.chunks c
    where c.seqs @> o.seq and x.seq is null and p.seq is null and d.seq is null
    order by c.id desc limit 1
  ) c on true`;

const VIEW_COMMENT = `comment on view batch.batch_operations is 'Every operation with its status, error, chunk and times.'`;

/** An object of these columns, whose values begin at this place. */
const object = (columns: string, first: string, text: string): string => `case
      when not s.by_column then (o."values"->>${text})::json
      when s.${columns} is not null then (
        select json_object_agg(c.name, case
          when c.place = any(s.documents) then (o."values"->>c.place)::json
          else (o."values"->c.place)::json
        end order by c.place)
        from (select name, (${first} + n - 1)::int as place from unnest(s.${columns}) with ordinality u(name, n)) c
      )
    end`;

const SHAPE_COLUMNS = 'type, target, on_conflict, conflict_key, must_exist';

const UP = [
  // Its arguments are others now.
  'drop function if exists batch.execute_plan',
  `create table batch.shapes (
    id int generated always as identity constraint shapes_pkey primary key,
    hash uuid not null,
    type text not null,
    target text not null,
    key_columns text[],
    value_columns text[],
    documents smallint[] not null,
    by_column boolean not null,
    on_conflict text,
    conflict_key text[],
    must_exist boolean not null,
    constraint shapes_hash_key unique (hash),
    constraint shapes_type_check check (type in ('insert', 'upsert', 'update', 'increment', 'delete'))
  )`,
  `comment on table batch.shapes is 'What operations of the same kind have in common. \`operations.values\` holds the values, keys first.'`,
  `insert into batch.shapes (hash, documents, by_column, ${SHAPE_COLUMNS})
  select md5(jsonb_build_array(type, target, null, null, '[]'::jsonb, false, on_conflict, conflict_key, must_exist)::text)::uuid,
    '{}', false, ${SHAPE_COLUMNS}
  from (select distinct ${SHAPE_COLUMNS} from batch.operations) o`,
  'alter table batch.operations add column shape int',
  `update batch.operations o set shape = s.id from batch.shapes s
  where (o.type, o.target, o.must_exist) = (s.type, s.target, s.must_exist)
    and (o.on_conflict, o.conflict_key) is not distinct from (s.on_conflict, s.conflict_key)`,
  'alter table batch.pending add column shape int',
  'alter table batch.delayed add column shape int',
  'update batch.pending p set shape = o.shape from batch.operations o where o.seq = p.seq',
  'update batch.delayed d set shape = o.shape from batch.operations o where o.seq = d.seq',
  'alter table batch.pending alter column shape set not null',
  'alter table batch.delayed alter column shape set not null',
  'drop view batch.batch_operations',
  `alter table batch.operations alter column shape set not null,
    alter column "values" type jsonb using jsonb_build_array(key::text, "values"::text),
    alter column "values" set not null`,
  `alter table batch.operations drop column type, drop column target, drop column key, drop column on_conflict,
    drop column conflict_key, drop column must_exist`,
  view(
    `s.type, s.target, ${object('key_columns', '0', '0')} as key,
    ${object('value_columns', 'coalesce(cardinality(s.key_columns), 0)', '1')} as "values",
    s.on_conflict, s.conflict_key, s.must_exist`,
    'batch.operations o join batch.shapes s on s.id = o.shape',
  ),
  VIEW_COMMENT,
];

const DOWN = [
  'drop function if exists batch.execute_plan, batch.operation_contents, batch.operation_rows',
  `alter table batch.operations add column type text, add column target text, add column key json, add column plain json,
    add column on_conflict text, add column conflict_key text[], add column must_exist boolean not null default false`,
  `update batch.operations o set type = v.type, target = v.target, key = v.key, plain = v."values", on_conflict = v.on_conflict,
    conflict_key = v.conflict_key, must_exist = v.must_exist
  from batch.batch_operations v where v.seq = o.seq`,
  'drop view batch.batch_operations',
  'alter table batch.delayed drop column shape',
  'alter table batch.pending drop column shape',
  'alter table batch.operations drop column shape, drop column "values"',
  `alter table batch.operations rename column plain to "values"`,
  `alter table batch.operations alter column type set not null, alter column target set not null,
    add constraint operations_type_check check (type in ('insert', 'upsert', 'update', 'increment', 'delete'))`,
  'drop table batch.shapes',
  view('o.type, o.target, o.key, o."values", o.on_conflict, o.conflict_key, o.must_exist', 'batch.operations o'),
  VIEW_COMMENT,
];
