import type { DatabaseFunction } from './database-function.js';

/**
 * Raises the error of a refusal. It has a result, so that an expression can call it.
 *
 * @remarks `operation`: its place in the list, from 0. `subject`: the kind of thing with this `name`, such as `column`
 */
export const REFUSE: DatabaseFunction = {
  name: 'refuse',
  version: 1,
  sql: `
create or replace function batch.refuse(code text, message text, operation int, subject text, name text) returns jsonb
language plpgsql set search_path = pg_catalog, pg_temp as $function$
begin
  raise exception using errcode = 'BS100', message = format('%s: %s', code, message), detail = jsonb_strip_nulls(
    jsonb_build_object('code', code, 'operation', operation, coalesce(subject, 'code'), coalesce(name, code)))::text;
end
$function$`,
};
