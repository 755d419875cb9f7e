-- The roles of Batch Service, each with no more rights than it needs. May be run again: it changes what differs.
--
--   owner      owns schema batch and all that is in it. Nobody logs in as this role.
--   migration  runs `node dist/migrate.js`. Its sessions act as the owner.
--   runtime    runs the service. It reads and writes rows, and can neither create, alter nor truncate anything of the service.
--
-- Run it with psql as a superuser, in the database of the service:
--
--   DB_PASSWORD=… DB_MIGRATION_PASSWORD=… psql --dbname batch_service --file scripts/roles.sql
--
-- Names: --set=owner=…, --set=migration=…, --set=runtime=…. Passwords come from the environment, so that they stand in no list of
-- processes; without one, the password of that role stays as it is. --set=targets=shop grants the runtime role the tables of
-- schema shop, those that whoever runs this creates there later included; repeat it for other schemas, or grant less by hand.
--
-- The rights on the tables of schema batch are granted by each `node dist/migrate.js`, as its version needs them.

\set ON_ERROR_STOP on
\if :{?owner}
\else
  \set owner batch_owner
\endif
\if :{?migration}
\else
  \set migration batch_migration
\endif
\if :{?runtime}
\else
  \set runtime batch_service
\endif
\set migration_password `printf %s "$DB_MIGRATION_PASSWORD"`
\set runtime_password `printf %s "$DB_PASSWORD"`

begin;

select format('create role %I', name) from (values (:'owner'), (:'migration'), (:'runtime')) roles (name)
where not exists (select from pg_roles where rolname = name) \gexec

alter role :"owner" nologin nosuperuser nocreatedb nocreaterole noreplication nobypassrls;
alter role :"migration" login nosuperuser nocreatedb nocreaterole noreplication nobypassrls;
alter role :"runtime" login nosuperuser nocreatedb nocreaterole noreplication nobypassrls;
select format('alter role %I password %L', name, password)
from (values (:'migration', :'migration_password'), (:'runtime', :'runtime_password')) given (name, password)
where password <> '' \gexec

-- What the migration role creates belongs to the owner.
grant :"owner" to :"migration";
-- So that `batch.lock_holders` can say what a session does that holds a lock for which operations wait.
grant pg_read_all_stats to :"owner";
select format('alter role %I in database %I set role = %L', :'migration', current_database(), :'owner') \gexec
select format('grant connect on database %I to %I, %I', current_database(), :'migration', :'runtime') \gexec

create schema if not exists batch;
-- What an installation without these roles has made. Sequences of columns go with their tables.
select format('alter %s batch.%I owner to %I', case relkind when 'v' then 'view' when 'S' then 'sequence' else 'table' end, relname, :'owner')
from pg_class c
where relnamespace = 'batch'::regnamespace and relkind in ('r', 'p', 'v', 'S')
  and not exists (
    select from pg_depend d
    where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.refclassid = 'pg_class'::regclass and d.deptype in ('a', 'i')
      and c.relkind = 'S'
  ) \gexec
select format('alter function %s owner to %I', oid::regprocedure, :'owner') from pg_proc where pronamespace = 'batch'::regnamespace \gexec
alter schema batch owner to :"owner";
grant usage on schema batch to :"runtime";

\if :{?targets}
  grant usage on schema :"targets" to :"runtime";
  grant select, insert, update, delete on all tables in schema :"targets" to :"runtime";
  grant usage, select on all sequences in schema :"targets" to :"runtime";
  alter default privileges in schema :"targets" grant select, insert, update, delete on tables to :"runtime";
  alter default privileges in schema :"targets" grant usage, select on sequences to :"runtime";
\endif

commit;
