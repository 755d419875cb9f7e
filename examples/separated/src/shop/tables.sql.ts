/** Made in the schema of each form, so that both run beside one another. */
export const TABLES = `
  create table if not exists orders (
    id bigint primary key generated always as identity,
    address text not null,
    billed boolean not null default false
  );
  create table if not exists invoices (
    order_id bigint not null references orders,
    pid int not null
  );
  create table if not exists batch_runs (
    pid int not null,
    started_at timestamptz not null
  )`;
