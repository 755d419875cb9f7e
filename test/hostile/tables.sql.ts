const CHAIN = 10_000;
const WIDE = 300;

/** The tables of the honest callers, and those that the attacks write to. */
export const CREATE_TABLES = `
  create table orders (id uuid primary key, n int not null);
  create table counters (id int primary key, n bigint not null);
  insert into counters select g, 0 from generate_series(1, 10) g;
  create table things (
    id int primary key, code text unique, amount numeric, exact numeric(40, 25), large bigint, ratio double precision,
    data jsonb, document json, day date, at timestamptz, span interval, address inet, tags text[], uid uuid, flag boolean,
    range int4range, bytes bytea
  );
  create table chain (id int primary key, code text not null unique);
  insert into chain select g, 'c' || g from generate_series(1, ${CHAIN}) g;
  create table wide (id int primary key, ${Array.from({ length: WIDE }, (_, n) => `c${n} text`).join(', ')})`;

/** Columns of `things` of every type that has a reader of its own. */
export const TYPED_COLUMNS = [
  ...['amount', 'exact', 'large', 'ratio', 'day', 'at', 'span', 'address', 'tags', 'uid', 'flag', 'range', 'bytes'],
] as const;

/** Rows of `chain`: the codes are c1 to c10000. */
export const CHAIN_ROWS = CHAIN;
/** Columns of `wide`: c0 to c299. */
export const WIDE_COLUMNS = WIDE;
