import { readdir, readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchBrowser } from './support/browser.js';
import { startDashboard, type Dashboard } from './support/dashboard.js';

const BUILT = join(import.meta.dirname, '../../dist/ui');
const BUDGET_BYTES = 60 * 1000;
const POLICY = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'";

let dashboard: Dashboard;

beforeAll(async () => {
  dashboard = await startDashboard({ BATCH_SERVICE_RMQ_URL: '', REDIS_URL: '' });
});
afterAll(() => dashboard?.close());

const get = (path: string): Promise<Response> => fetch(`${dashboard.url}${path}`, { redirect: 'manual' });

describe('the files of the dashboard', () => {
  it('are one page for every address below /ui, never stored, under a policy that allows only its own files', async () => {
    for (const path of ['/ui', '/ui/', '/ui/operations', '/ui/jobs/importOrders']) {
      const response = await get(path);
      expect([response.status, response.headers.get('content-type')], path).toEqual([200, 'text/html; charset=utf-8']);
      expect(response.headers.get('cache-control')).toBe('no-store');
      expect(response.headers.get('content-security-policy')).toBe(POLICY);
    }
  });

  it('that have the hash of their content in their names are kept for ever', async () => {
    for (const name of await readdir(join(BUILT, 'assets'))) {
      const response = await get(`/ui/assets/${name}`);
      expect(response.status, name).toBe(200);
      expect(response.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
      expect(response.headers.get('content-security-policy')).toBe(POLICY);
    }
  });

  it('of an older build are a problem, and not the page', async () => {
    const response = await get('/ui/assets/index-gone.js');
    expect([response.status, response.headers.get('content-type')]).toEqual([404, 'application/problem+json']);
  });

  it('hold no more than 60 kB of JavaScript, compressed, and name no other host', async () => {
    let bytes = 0;
    for (const name of await readdir(BUILT, { recursive: true })) {
      if (!/\.(js|html|css)$/.test(name)) continue;
      const content = await readFile(join(BUILT, name));
      // Names of XML are no addresses that anything asks for.
      const addresses = content.toString().match(/https?:\/\/(?!www\.w3\.org\/)[\w.-]+\.\w+/g) ?? [];
      expect(addresses, name).toEqual([]);
      if (name.endsWith('.js')) bytes += gzipSync(content, { level: 9 }).length;
    }
    expect(bytes).toBeGreaterThan(10_000);
    expect(bytes).toBeLessThanOrEqual(BUDGET_BYTES);
  });

  it('are where the root of the service leads to', async () => {
    const response = await get('/');
    expect([response.status, response.headers.get('location')]).toEqual([302, '/ui']);
  });
});

describe('a page of another origin', () => {
  let browser: Browser;
  let stranger: Server;
  let strangerUrl: string;

  beforeAll(async () => {
    browser = await launchBrowser();
    stranger = createServer((_request, response) => {
      response.setHeader('content-type', 'text/html');
      response.end('<!doctype html><title>Another site</title><p>Nothing.</p>');
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => stranger.once('listening', resolve));
    strangerUrl = `http://127.0.0.1:${(stranger.address() as AddressInfo).port}`;
  });
  afterAll(async () => {
    await browser?.close();
    stranger?.close();
  });

  it('reads nothing of the API, of the page, of health and of the metrics, and shows it in no frame', async () => {
    const page = await browser.newPage();
    await page.goto(strangerUrl);
    for (const path of ['/api/v1/stats', '/api/v1/operations', '/health/ready', '/metrics', '/ui/']) {
      const read = await page.evaluate<string>(
        `fetch('${dashboard.url}${path}').then((answer) => answer.text(), (error) => 'refused: ' + error.name)`,
      );
      expect(read, path).toBe('refused: TypeError');
    }
    const shown = await page.evaluate<string>(`new Promise((resolve) => {
      const frame = document.createElement('iframe');
      frame.onload = () => {
        try { resolve(frame.contentDocument ? 'read' : 'closed'); } catch { resolve('closed'); }
      };
      frame.src = '${dashboard.url}/ui/';
      document.body.append(frame);
    })`);
    expect(shown).toBe('closed');
    const inside = page.frames().find((frame) => frame !== page.mainFrame());
    expect(await inside?.locator('#app').count()).toBe(0);
    await page.close();
  });

  it('resumes nothing: a POST without a body reaches the service, and is refused', async () => {
    const page = await browser.newPage();
    await page.goto(strangerUrl);
    const resumes = '/api/v1/lanes/17/resumes';
    const refusals = async (): Promise<string | undefined> =>
      /^batch_requests_refused_total{.*code="ORIGIN_NOT_ALLOWED".*} (\d+)$/m.exec(
        await (await get('/metrics')).text(),
      )?.[1];
    expect(await refusals()).toBeUndefined();
    await page.evaluate(
      `fetch('${dashboard.url}${resumes}', { method: 'POST', mode: 'no-cors' }).catch(() => undefined)`,
    );
    expect(await refusals()).toBe('1');
    await page.goto(`${dashboard.url}/ui/`);
    const own = await page.evaluate<string>(
      `fetch('${resumes}', { method: 'POST' }).then((answer) => answer.json()).then(({ code }) => code)`,
    );
    expect(own).toBe('LANE_NOT_FOUND');
    await page.close();
  });

  it.each(['POST', 'DELETE'])('sends no %s with a body or a method that needs permission', async (method) => {
    const page = await browser.newPage();
    await page.goto(strangerUrl);
    const sent = await page.evaluate<string>(`fetch('${dashboard.url}/api/v1/operations', {
      method: '${method}', headers: { 'content-type': 'application/json' }, body: '{}',
    }).then(() => 'sent', (error) => 'refused: ' + error.name)`);
    expect(sent).toBe('refused: TypeError');
    await page.close();
  });
});
