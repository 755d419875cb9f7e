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
      for (const text of textsOf(args[0])) texts.add(text);
      return send(...args);
    };
    client.query = watching as ClientBase['query'];
  });
  return texts;
}

/** The statements on target tables are parameters of the function that executes plans: its first two. */
function textsOf(statement: unknown): string[] {
  if (typeof statement === 'string') return [statement];
  const { text, values = [] } = statement as { text?: unknown; values?: unknown[] };
  return /execute_plan/.test(String(text)) ? [String(text), ...unquoted(values.slice(0, 2))] : [String(text)];
}

/** Elements of `text[]` as PostgreSQL reads them. */
const unquoted = (arrays: readonly unknown[]): string[] =>
  arrays.flatMap((array) =>
    [...String(array).matchAll(/"((?:[^"\\]|\\.)*)"/gs)].map(([, element = '']) => element.replace(/\\(.)/gs, '$1')),
  );
