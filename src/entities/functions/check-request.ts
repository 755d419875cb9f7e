import { OPERATION_FIELDS, type FieldSchema, type OperationField } from '../../interfaces/operation-fields.js';
import { OPERATION_TYPES, RETRY_REASONS } from '../../interfaces/operation.js';
import type { DatabaseFunction } from './database-function.js';

const TYPES = OPERATION_TYPES.join(', ');
const FIELDS: readonly [string, OperationField][] = Object.entries(OPERATION_FIELDS);
const TYPES_OF_FIELDS = Object.fromEntries(FIELDS.map(([field, { types }]) => [field, types]));
const EXPECTS = Object.fromEntries(FIELDS.map(([field, { expects }]) => [field, expects]));

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** Fields that are checked by rules of their own. */
const CHECKED_APART = ['id', 'operationType', 'source'];

/** Rules that no schema states: SQL that is true when the field is wrong. */
const OWN_RULES: ReadonlyMap<string, string> = new Map([
  ['runAt', String.raw`request->>'runAt' !~ '^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})$'`],
  [
    'retry',
    String.raw`retry - '{limit,on}'::text[] <> '{}'
      or jsonb_typeof(retry->'limit') is distinct from 'number' or retry->>'limit' !~ '^([1-9]\d?|100)(\.0+)?$'
      or jsonb_typeof(retry->'on') is distinct from 'array' or retry->'on' = '[]'
      or not retry->'on' <@ '${JSON.stringify(RETRY_REASONS)}'
      or (select count(*) > count(distinct c) from jsonb_array_elements(case when jsonb_typeof(retry->'on') = 'array' then retry->'on' end) c)
      or retry->'on' ? 'missing_row' and request->'mustExist' is distinct from 'true'`,
  ],
]);

/** A row of a list: the name of a field, and SQL that is true when the schema forbids its value. */
function wrong(field: string, schema: FieldSchema): string[] {
  if (CHECKED_APART.includes(field)) return [];
  const value = `request->${quoted(field)}`;
  const type = schema.type === 'integer' ? 'number' : schema.type;
  const rules = [...rulesOf(value, `request->>${quoted(field)}`, schema), OWN_RULES.get(field) ?? 'false'].join(' or ');
  const missing = schema.minLength === undefined ? '' : `${value} is null or `;
  // A case, because a function for arrays fails on other values.
  return [
    `(${quoted(field)}, ${missing}case when jsonb_typeof(${value}) <> '${type}' then true when ${value} is not null then ${rules} end)`,
  ];
}

function rulesOf(value: string, text: string, schema: FieldSchema): string[] {
  const { minLength, maxLength, minimum, maximum, minItems, maxItems, uniqueItems, items } = schema;
  const rules: string[] = [];
  if (schema.enum !== undefined) rules.push(`${text} not in (${schema.enum.map(quoted).join(', ')})`);
  if (schema.pattern !== undefined) rules.push(`${text} !~ ${quoted(schema.pattern)}`);
  if (minLength !== undefined) rules.push(`length(${text}) < ${minLength}`);
  if (maxLength !== undefined) rules.push(`length(${text}) > ${maxLength}`);
  if (schema.type === 'integer') rules.push(`(${text})::numeric % 1 <> 0`);
  if (minimum !== undefined) rules.push(`(${text})::numeric < ${minimum}`);
  if (maximum !== undefined) rules.push(`(${text})::numeric > ${maximum}`);
  if (minItems !== undefined) rules.push(`jsonb_array_length(${value}) < ${minItems}`);
  if (maxItems !== undefined) rules.push(`jsonb_array_length(${value}) > ${maxItems}`);
  if (uniqueItems === true) rules.push(`(select count(*) > count(distinct c) from jsonb_array_elements(${value}) c)`);
  if (items !== undefined) {
    rules.push(`exists (select from jsonb_array_elements(${value}) c where jsonb_typeof(c) <> '${items.type}')`);
  }
  return rules;
}

/**
 * Refuses a request that is not of the right form, by the rules of `parseRequest`. Returns what it has in common with
 * others of its shape, as the text of the array that `batch.register_shape` takes.
 *
 * @remarks `own_source` is the only source that the caller may name; null: none
 */
export const CHECK_REQUEST: DatabaseFunction = {
  name: 'check_request',
  version: 1,
  sql: String.raw`
create or replace function batch.check_request(request jsonb, own_source text, operation int) returns text
language plpgsql volatile set search_path = pg_catalog, pg_temp set standard_conforming_strings = on as $function$
declare
  type text := request->>'operationType';
  field text;
  retry jsonb := request->'retry';
  run_at timestamptz;
begin
  if jsonb_typeof(request) <> 'object' then
    perform batch.refuse('INVALID_REQUEST', 'An operation is an object', operation, null, null);
  elsif not request ? 'operationType' then
    perform batch.refuse('INVALID_REQUEST', 'operationType is missing; it is one of ${TYPES}', operation, 'field', 'operationType');
  elsif type is null or type <> all (string_to_array('${TYPES}', ', ')) then
    perform batch.refuse('UNKNOWN_OPERATION_TYPE', 'operationType is one of ${TYPES}', operation, 'field', 'operationType');
  end if;
  for field in select jsonb_object_keys(request) loop
    if field not in (${FIELDS.map(([field]) => quoted(field)).join(', ')}) then
      perform batch.refuse('INVALID_REQUEST', 'An operation has no field ' || to_json(field), operation, 'field', field);
    elsif field = 'id' and coalesce(request->>'id' !~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$', true) then
      perform batch.refuse('INVALID_ID', 'id ${OPERATION_FIELDS.id.expects}', operation, 'field', field);
    elsif not ${quoted(JSON.stringify(TYPES_OF_FIELDS))}::jsonb->field ? type then
      perform batch.refuse('INVALID_REQUEST', format('%s has no meaning for %s', field, type), operation, 'field', field);
    elsif field = 'source' and (own_source is null or request->>'source' is distinct from own_source) then
      perform batch.refuse('SOURCE_NOT_ALLOWED', coalesce('The source of operations of this role is its name, ' || own_source,
        'The name of this role is no source: leave source out'), operation, 'field', field);
    end if;
  end loop;
  select f.field into field
  from (values
    ${FIELDS.flatMap(([field, { schema }]) => wrong(field, schema)).join(',\n    ')}
  ) f(field, is_wrong)
  where f.is_wrong limit 1;
  if field is null and request ? 'runAt' then
    begin
      run_at := (request->>'runAt')::timestamptz;
    exception when datetime_field_overflow or invalid_datetime_format or invalid_time_zone_displacement_value then
    end;
    if run_at is null or run_at not between 'epoch' and now() + interval '10 years' then field := 'runAt'; end if;
  end if;
  if field is not null then
    perform batch.refuse('INVALID_REQUEST', field || ' ' || (${quoted(JSON.stringify(EXPECTS))}::jsonb->>field), operation, 'field', field);
  elsif pg_column_size(request) > 1048576 then
    perform batch.refuse('PAYLOAD_TOO_LARGE', 'The operation takes more than 1024 KiB', operation, null, null);
  end if;
  return jsonb_build_array(type, request->'target', case when request ? 'key' then array(select jsonb_object_keys(request->'key')) end,
    case when request ? 'values' then array(select jsonb_object_keys(request->'values')) end,
    request->'onConflict', request->'conflictKey', request->'mustExist');
end
$function$`,
};
