import pg from 'pg';

export const TABLES = ['customers', 'stock', 'orders', 'order_items'] as const;

/** The tables of the shop, in a schema that exists. The service writes to those in `public`. */
export function createShopTables(schema: string): string {
  const name = (table: string): string => `${pg.escapeIdentifier(schema)}.${table}`;
  return `
    create type ${name('order_status')} as enum ('new', 'paid', 'shipped', 'cancelled');
    create table ${name('customers')} (
      id int primary key,
      email text not null unique,
      name varchar(40) not null,
      country char(2) not null default 'NL',
      loyalty_points smallint not null default 0
    );
    create table ${name('stock')} (
      sku varchar(12) primary key,
      title text not null,
      price numeric(10, 2) not null,
      quantity int not null default 0 check (quantity >= 0)
    );
    create table ${name('orders')} (
      id bigint primary key,
      customer_id int not null references ${name('customers')},
      status ${name('order_status')} not null default 'new',
      total numeric(10, 2) not null check (total >= 0),
      placed_on date not null
    );
    create table ${name('order_items')} (
      order_id bigint not null references ${name('orders')},
      sku varchar(12) not null references ${name('stock')},
      quantity smallint not null check (quantity > 0),
      primary key (order_id, sku)
    );`;
}
