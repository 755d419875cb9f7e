import { OPERATION_TYPES, RETRY_REASONS } from '../../interfaces/operation.js';
import type { DatabaseFunction } from './database-function.js';

const TYPES = OPERATION_TYPES.join(', ');

/**
 * Refuses a request that is not of the right form, by the rules of `parseRequest`. Returns what it has in common with others of its
 * shape, as the text of the array that `batch.register_shape` takes.
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
    if field not in ('id', 'operationType', 'target', 'key', 'values', 'onConflict', 'conflictKey', 'mustExist', 'priority', 'runAt', 'retry', 'source') then
      perform batch.refuse('INVALID_REQUEST', 'An operation has no field ' || to_json(field), operation, 'field', field);
    elsif field = 'id' and coalesce(request->>'id' !~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$', true) then
      perform batch.refuse('INVALID_ID', 'id is a UUID such as 018f6f4e-7c1a-7cc0-9d3b-2f6c5a1e8b4d', operation, 'field', field);
    elsif field in ('key', 'mustExist') and type in ('insert', 'upsert') or field = 'values' and type = 'delete'
      or field = 'onConflict' and type <> 'insert' or field = 'conflictKey' and type <> 'upsert' then
      perform batch.refuse('INVALID_REQUEST', format('%s has no meaning for %s', field, type), operation, 'field', field);
    elsif field = 'source' and request->>'source' is distinct from own_source then
      perform batch.refuse('SOURCE_NOT_ALLOWED', coalesce('The source of operations of this role is its name, ' || own_source,
        'The name of this role is no source: leave source out'), operation, 'field', field);
    end if;
  end loop;
  select f.field into field
  from (values
    ('target', request->'target' is null or jsonb_typeof(request->'target') <> 'string' or length(request->>'target') not between 1 and 200),
    ('key', jsonb_typeof(request->'key') <> 'object'),
    ('values', jsonb_typeof(request->'values') <> 'object'),
    ('onConflict', request->'onConflict' not in ('"error"', '"ignore"')),
    ('conflictKey', request ? 'conflictKey' and (jsonb_typeof(request->'conflictKey') <> 'array' or (
      select count(*) not between 1 and 32 or count(*) > count(distinct c) or bool_or(jsonb_typeof(c) <> 'string')
      from jsonb_array_elements(case when jsonb_typeof(request->'conflictKey') = 'array' then request->'conflictKey' end) c))),
    ('mustExist', jsonb_typeof(request->'mustExist') <> 'boolean'),
    ('priority', jsonb_typeof(request->'priority') <> 'number' or request->>'priority' !~ '^[0-9](\.0+)?$'),
    ('runAt', jsonb_typeof(request->'runAt') <> 'string'
      or request->>'runAt' !~ '^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})$'),
    ('retry', request ? 'retry' and (jsonb_typeof(retry) <> 'object' or retry - '{limit,on}'::text[] <> '{}'
      or jsonb_typeof(retry->'limit') is distinct from 'number' or retry->>'limit' !~ '^([1-9]\d?|100)(\.0+)?$'
      or jsonb_typeof(retry->'on') is distinct from 'array' or retry->'on' = '[]'
      or not retry->'on' <@ '${JSON.stringify(RETRY_REASONS)}'
      or retry->'on' ? 'missing_row' and request->'mustExist' is distinct from 'true'))
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
    perform batch.refuse('INVALID_REQUEST', field || ' ' || case field
      when 'target' then 'is a table or schema.table, of at most 200 characters'
      when 'onConflict' then 'is error or ignore'
      when 'conflictKey' then 'is a list of 1 to 32 different columns'
      when 'mustExist' then 'is true or false'
      when 'priority' then 'is an integer from 0 to 9'
      when 'runAt' then 'is a time in ISO 8601 with zone, such as 2030-01-31T12:00:00Z, between 1970 and 10 years from now'
      when 'retry' then 'is {"limit": 1 to 100, "on": some of missing_parent, missing_row (which needs mustExist) and conflict}'
      else 'is an object of columns and their values'
    end, operation, 'field', field);
  elsif pg_column_size(request) > 1048576 then
    perform batch.refuse('PAYLOAD_TOO_LARGE', 'The operation takes more than 1024 KiB', operation, null, null);
  end if;
  return jsonb_build_array(type, request->'target', case when request ? 'key' then array(select jsonb_object_keys(request->'key')) end,
    case when request ? 'values' then array(select jsonb_object_keys(request->'values')) end,
    request->'onConflict', request->'conflictKey', request->'mustExist');
end
$function$`,
};
