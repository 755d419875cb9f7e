import 'reflect-metadata';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { chromium, type Browser } from 'playwright-core';
import { loadSettings } from '../src/services/config/load-settings.js';
import type { IBatchOperation } from '../src/client/index.js';
import { Cleanup } from '../test/support/cleanup.js';
import pg from 'pg';
import { connected, openDatabase } from './demo-database.js';
import { DemoService } from './demo-service.js';
import { createShopTables } from './shop-tables.js';
import { buildWorkload, inOrder } from './workload.js';

// `npm run screenshots`: makes the images of the dashboard in docs/images, from the operations of the demo. It takes two minutes,
// because the plots show what happened in them.

const IMAGES = 'docs/images';
const OPERATIONS = 12_000;
const BATCHES = 100;
const PAUSE_MS = 1000;
const WINDOW = { width: 1280, height: 860 };
const LOCKED_SKU = 'SHOT-1';

const cleanup = new Cleanup();
try {
  await run();
} finally {
  for (const fault of await cleanup.run()) console.error(fault);
}

async function run(): Promise<void> {
  const directory = join('.data', 'screenshots');
  await mkdir(directory, { recursive: true });
  await mkdir(IMAGES, { recursive: true });
  const place = { name: 'batch_screenshots', directory: join(directory, 'postgres') };
  const database = await openDatabase(loadSettings(process.env).database, place, cleanup);
  await connected(database.connection, (client) => client.query(createShopTables('public')));
  const service = await DemoService.start(database.environment, join(directory, 'service.log'));
  cleanup.add('The service is not stopped', () => service.stop());
  await service.ready(new AbortController().signal);
  const api = apiOf(service.url);

  const requests = inOrder(buildWorkload(OPERATIONS, 1)).map(({ request }) => request);
  const size = Math.ceil(requests.length / BATCHES);
  for (let from = 0; from < requests.length; from += size) {
    await api('POST', 'operations/bulk', { operations: requests.slice(from, from + size) });
    await delay(PAUSE_MS * (0.5 + Math.abs(Math.sin(from))));
  }
  const waiting = await blockLane(database.connection, api);
  const [chunk] = (await api<Listed>('GET', 'chunks?failed=true&limit=1')).items;
  // The plots have a point every ten seconds.
  await delay(12_000);

  const executablePath = process.env.CHROMIUM_PATH ?? '/usr/bin/chromium';
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
  cleanup.add('Chromium is not closed', () => browser.close());
  for (const colorScheme of ['light', 'dark'] as const) {
    await shoot(browser, `${service.url}/ui/`, { name: 'overview', colorScheme });
    await shoot(browser, `${service.url}/ui/operations/${waiting}`, { name: 'why-pending', colorScheme });
    await shoot(browser, `${service.url}/ui/chunks/${chunk!.id}`, { name: 'chunk', colorScheme });
  }
}

interface Listed {
  items: { id: string }[];
}

type Api = <T>(method: string, path: string, body?: unknown) => Promise<T>;

function apiOf(url: string): Api {
  return async <T>(method: string, path: string, body?: unknown) => {
    const response = await fetch(`${url}/api/v1/${path}`, {
      method,
      headers: { 'content-type': 'application/json' },
      ...(method === 'POST' && { body: JSON.stringify(body ?? {}) }),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as T;
  };
}

/** Somebody leaves a transaction open, and an operation on its row waits. Returns the id of this operation. */
async function blockLane(connection: pg.ClientConfig, api: Api): Promise<string> {
  const holder = new pg.Client({ ...connection, application_name: 'psql' });
  await holder.connect();
  cleanup.add('The lock is not released', () => holder.end());
  await holder.query(`insert into stock (sku, title, price) values ('${LOCKED_SKU}', 'Teapot', 24.50)`);
  await holder.query('begin');
  await holder.query(`update stock set price = 19.95 where sku = '${LOCKED_SKU}'`);
  const { id } = await api<IBatchOperation>('POST', 'operations', {
    ...{
      operationType: 'increment',
      target: 'stock',
      key: { sku: LOCKED_SKU },
      values: { quantity: 12 },
      source: 'warehouse',
    },
  });
  return id;
}

async function shoot(
  browser: Browser,
  address: string,
  { name, colorScheme }: { name: string; colorScheme: 'light' | 'dark' },
): Promise<void> {
  const context = await browser.newContext({ viewport: WINDOW, colorScheme });
  const page = await context.newPage();
  await page.goto(address);
  await page.locator('h1').waitFor();
  await page.locator('.loading').first().waitFor({ state: 'detached' });
  // The plots are drawn after the rest.
  await delay(1500);
  const path = join(IMAGES, `dashboard-${name}-${colorScheme}.png`);
  await page.screenshot({ path });
  console.log(path);
  await context.close();
}
