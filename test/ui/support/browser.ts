import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { chromium, type Browser, type BrowserContext, type BrowserContextOptions, type Page } from 'playwright-core';
import { expect, inject } from 'vitest';

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
/** Wide enough for tables; narrow as a phone. */
export const WIDE = { width: 1280, height: 900 };
export const NARROW = { width: 390, height: 844 };

/** A new browser with an empty profile of its own. */
export function launchBrowser(): Promise<Browser> {
  const executablePath = inject('chromium');
  return chromium.launch({ headless: true, args: FLAGS, ...(executablePath !== undefined && { executablePath }) });
}

/** A tab of a person who has nothing stored, and what went wrong in it. */
export interface Visit {
  context: BrowserContext;
  page: Page;
  /** Errors of scripts, of the content policy, and requests to other hosts. */
  faults: string[];
  /** Opens a page of the dashboard, and waits until its content is there. */
  open(path: string): Promise<void>;
  close(): Promise<void>;
}

export async function visit(browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<Visit> {
  const context = await browser.newContext({ viewport: WIDE, colorScheme: 'light', ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  const faults: string[] = [];
  const { origin } = new URL(url);
  context.on('request', (request) => {
    if (new URL(request.url()).origin !== origin) faults.push(`request to ${request.url()}`);
  });
  page.on('pageerror', (error) => faults.push(error.stack ?? error.message));
  // An answer that is a problem is no fault of the page, and Chromium notes each of them.
  page.on('console', (message) => {
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
      faults.push(message.text());
  });
  return {
    context,
    page,
    faults,
    async open(path) {
      await page.goto(`${url}/ui${path}`);
      await settled(page);
    },
    close: () => context.close(),
  };
}

/** Resolves when nothing of the page is still loading. */
export async function settled(page: Page): Promise<void> {
  await page.locator('h1').waitFor();
  await expect.poll(() => page.locator('.loading').count()).toBe(0);
}

/** What axe-core finds, as one line each. */
export async function accessibilityFaults(page: Page): Promise<string[]> {
  // Not as a tag: the content policy of the page allows no script that is not its own.
  await page.evaluate(await readFile(AXE, 'utf8'));
  const { violations } = await page.evaluate<{
    violations: { id: string; help: string; nodes: { target: string[]; failureSummary?: string }[] }[];
  }>('axe.run()');
  return violations.flatMap(({ id, help, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id}: ${help}: ${target.join(' ')} ${failureSummary ?? ''}`),
  );
}

/** The same in light and in dark colours. Colours that are just changing are none of the two. */
export async function accessibilityFaultsInBoth(page: Page): Promise<string[]> {
  const faults: string[] = [];
  for (const colorScheme of ['dark', 'light'] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    faults.push(...(await accessibilityFaults(page)).map((fault) => `${colorScheme}: ${fault}`));
  }
  return faults;
}

/** By how many pixels the page itself is wider than its window. */
export const overflow = (page: Page): Promise<number> =>
  page.evaluate<number>('document.documentElement.scrollWidth - document.documentElement.clientWidth');
