/**
 * The target tables. None but `parents` and `children` are tied, so they lie in several lanes; no trigger, which would tie all
 * of them. What doubles shows: a counter by its value, the history by its rows.
 */
export const CREATE_TABLES = `
  create table counters (key text primary key, hits bigint not null default 0, total bigint not null default 0);
  create table history (seq bigint generated always as identity primary key, key text not null, n int not null);
  create table latest (key text primary key, n int not null default 0);
  create table profiles (key text primary key, n int not null);
  create table slots (key text primary key, n int not null);
  create table parents (key text primary key);
  create table children (key text primary key, parent text not null references parents)`;

export const SEED_COUNTERS = 'insert into counters (key) select unnest($1::text[])';
export const SEED_LATEST = 'insert into latest (key) select unnest($1::text[])';
