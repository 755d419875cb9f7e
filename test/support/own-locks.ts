/**
 * `pg_locks` without those of other databases, to select from. Files run at the same time on one server, and in copies of one
 * template the same table has the same oid.
 */
export const OWN_LOCKS =
  '(select * from pg_locks where database = (select oid from pg_database where datname = current_database())) own_locks';
