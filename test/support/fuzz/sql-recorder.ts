import type { ClientBase, Pool } from 'pg';
import { DataSource } from 'typeorm';
import type { TestApp } from '../app.js';

/** The texts of all statements that a service sends from now on, each once. */
export function recordSql({ app }: TestApp): ReadonlySet<string> {
  const texts = new Set<string>();
  const watched = new WeakSet<ClientBase>();
  const pool = (app.get(DataSource).driver as unknown as { master: Pool }).master;
  pool.on('acquire', (client) => {
    if (watched.has(client)) return;
    watched.add(client);
    const send = client.query.bind(client) as (...args: unknown[]) => unknown;
    const watching = (...args: unknown[]): unknown => {
      texts.add(textOf(args[0]));
      return send(...args);
    };
    client.query = watching as ClientBase['query'];
  });
  return texts;
}

function textOf(statement: unknown): string {
  return typeof statement === 'string' ? statement : String((statement as { text?: unknown }).text);
}
