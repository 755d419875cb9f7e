import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BatchBuilders } from '../../src/batch/job/batch-builders.js';
import { runIdIncrementer } from '../../src/batch/job/job-definition.js';
import { JobRegistry } from '../../src/batch/operator/job-registry.js';
import { ListItemReader } from '../../src/batch/readers/list-item-reader.js';
import type { SqlClient } from '../../src/interfaces/sql.js';
import type { IJobExecution, IJobExecutionDetail, IJobParameterValue } from '../../src/interfaces/job.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import {
  accessibilityFaults,
  accessibilityFaultsInBoth,
  launchBrowser,
  NARROW,
  overflow,
  visit,
} from './support/browser.js';

const ITEMS = 10;
const PENDING = { timeout: 20_000 };

let service: TestApp;
let browser: Browser;
/** Jobs of the test wait here before each item, until they have a permit. */
let permits = 0;
let passed: () => void = () => undefined;
let unreachable = true;

/** Lets the waiting jobs take so many items. */
function allow(items: number): void {
  permits += items;
  passed();
}

async function pass(): Promise<void> {
  while (permits === 0) {
    await new Promise<void>((resolve) => {
      const others = passed;
      passed = () => (others(), resolve());
    });
  }
  permits -= 1;
}

function jobs(b: BatchBuilders) {
  const report = b
    .job('report')
    .describe('Has a parameter of every type')
    .parameters({
      day: { type: 'date', required: true, description: 'The day of the report' },
      copies: { type: 'integer', required: true },
      ratio: { type: 'number', default: 0.5 },
      dry: { type: 'boolean' },
      format: { type: 'string', default: 'csv', choices: ['csv', 'jsonl'] },
      mailTo: { type: 'string', identifying: false },
    })
    .validator((parameters) => (Number(parameters.get('copies')) > 9 ? ['More than nine copies are a waste'] : []))
    .start(
      b
        .step('write')
        .tasklet(({ scope }) => scope.job.context.put('pages', 12))
        .build(),
    )
    .build();
  const archive = b
    .job('archive')
    .parameters({})
    .incrementer(runIdIncrementer)
    .start(
      b
        .step('copy')
        .partitioned({
          gridSize: 3,
          partitioner: (gridSize) =>
            Object.fromEntries(Array.from({ length: gridSize }, (_, index) => [`part${index}`, { index }])),
          worker: (name) =>
            b
              .step(name)
              .chunk(1)
              .reader(() => new ListItemReader(Array.from({ length: ITEMS }, (_, item) => item + 1)))
              .process(async (item) => (await pass(), item))
              .writer({ write: () => Promise.resolve() })
              .build(),
        })
        .build(),
    )
    .build();
  const check = b
    .job('check')
    .incrementer(runIdIncrementer)
    .start(
      b
        .step('read')
        .chunk(200)
        .reader(() => new ListItemReader(Array.from({ length: 120 }, (_, item) => ({ item }))))
        .process(({ item }) => {
          if (item % 2 === 1) throw new RangeError(`${item} is odd`);
          return item;
        })
        .writer({ write: () => Promise.resolve() })
        .faultTolerant()
        .skip(RangeError)
        .skipLimit(100)
        .build(),
    )
    .build();
  const send = b
    .job('send')
    .incrementer(runIdIncrementer)
    .start(
      b
        .step('post')
        .tasklet(() => {
          if (unreachable) throw new Error('The receiver does not answer');
        })
        .build(),
    )
    .build();
  return [report, archive, check, send];
}

beforeAll(async () => {
  service = await startTestApp({ BATCH_SERVICE_RMQ_URL: '', REDIS_URL: '', BATCH_EXAMPLE_JOBS: 'false' });
  const registry = service.app.get<JobRegistry<SqlClient>>(JobRegistry);
  for (const job of jobs(new BatchBuilders())) registry.register(job);
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser?.close();
  allow(1000);
  await service?.close();
});

async function api<T>(method: string, path: string, body?: object): Promise<T> {
  const response = await fetch(`${service.url}/api/v1/${path}`, {
    method,
    ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });
  return (await response.json()) as T;
}
const execution = (id: string): Promise<IJobExecutionDetail> => api('GET', `job-executions/${id}`);
const next = (job: string): Promise<IJobExecution> => api('POST', `jobs/${job}/executions`, { nextInstance: true });
const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true });
const inDialog = (page: Page, name: string) => button(page, name).and(page.locator('dialog button'));
const status = (page: Page) => page.locator('.facts .badge').first();
const idOf = (page: Page): string => /\/executions\/(\d+)/.exec(page.url())![1]!;

describe('the form that starts a job', () => {
  const field = (page: Page, name: string) =>
    page.getByRole('dialog').locator('label', { has: page.locator(`b:text-is("${name}")`) });

  it('has a field of each declared parameter, says what is wrong with a value, and keeps what was typed', async () => {
    const seen = await visit(browser, service.url);
    const { page } = seen;
    await seen.open('/jobs');
    await page
      .getByRole('row', { name: /^report/ })
      .getByRole('button', { name: 'Start…' })
      .click();
    expect(await accessibilityFaultsInBoth(page)).toEqual([]);
    expect(await page.getByRole('dialog').locator('label b').allInnerTexts()).toEqual([
      'day',
      'copies',
      'ratio',
      'dry',
      'format',
      'mailTo',
    ]);
    await field(page, 'day').getByText('The day of the report · date · required').waitFor();
    await field(page, 'mailTo').getByText('string · not identifying').waitFor();
    await field(page, 'ratio').getByText('else 0.5').waitFor();
    const problem = page.getByRole('dialog').getByRole('alert');

    await inDialog(page, 'Start').click();
    await problem.getByText(/"day" .*missing/).waitFor();
    await problem.getByText(/"copies" .*missing/).waitFor();
    await problem.getByText('INVALID_JOB_PARAMETERS').waitFor();
    await field(page, 'day').getByRole('textbox').fill('yesterday');
    await field(page, 'copies').getByRole('textbox').fill('many');
    await field(page, 'ratio').getByRole('textbox').fill('half');
    await inDialog(page, 'Start').click();
    await problem.getByText(/"day" must be a time in ISO 8601/).waitFor();
    await problem.getByText(/"copies" must be a whole number/).waitFor();
    await problem.getByText(/"ratio" must be a number/).waitFor();
    expect(await accessibilityFaultsInBoth(page)).toEqual([]);
    await field(page, 'day').getByRole('textbox').fill('2026-03-01');
    await field(page, 'copies').getByRole('textbox').fill('10');
    await field(page, 'ratio').getByRole('textbox').fill('0.25');
    await inDialog(page, 'Start').click();
    await problem.getByText('More than nine copies are a waste').waitFor();
    expect(await field(page, 'ratio').getByRole('textbox').inputValue()).toBe('0.25');
    expect((await api<{ items: unknown[] }>('GET', 'job-executions')).items).toEqual([]);

    await field(page, 'copies').getByRole('textbox').fill('3');
    await field(page, 'dry').getByRole('combobox').selectOption('true');
    await field(page, 'format').getByRole('combobox').selectOption('jsonl');
    await field(page, 'mailTo').getByRole('textbox').fill('ada@example.com');
    await inDialog(page, 'Start').click();
    await page.getByText('report has started.').waitFor();
    await status(page).filter({ hasText: 'COMPLETED' }).waitFor();
    const { parameters } = await execution(idOf(page));
    const values = Object.entries(parameters as Record<string, IJobParameterValue>).map(([name, { type, value }]) => [
      name,
      type,
      value,
    ]);
    expect(values.sort()).toEqual([
      ['copies', 'integer', '3'],
      ['day', 'date', '2026-03-01T00:00:00.000Z'],
      ['dry', 'boolean', 'true'],
      ['format', 'string', 'jsonl'],
      ['mailTo', 'string', 'ada@example.com'],
      ['ratio', 'number', '0.25'],
    ]);
    await page.locator('details', { hasText: 'the job' }).locator('summary').click();
    expect(JSON.parse(await page.getByRole('region', { name: 'Context of the job' }).innerText())).toMatchObject({
      pages: 12,
    });
    expect(seen.faults).toEqual([]);
    await seen.close();
  });

  it('starts the next instance of a job that has one', async () => {
    const seen = await visit(browser, service.url);
    await seen.open('/jobs/check');
    await button(seen.page, 'Start…').click();
    await seen.page.getByLabel(/^The next instance/).check();
    await seen.page.getByLabel(/^Parameters/).fill('why=a check by hand');
    await inDialog(seen.page, 'Start').click();
    await seen.page.getByText('check has started.').waitFor();
    const { parameters } = await execution(idOf(seen.page));
    expect(parameters).toMatchObject({ 'run.id': { value: '1' }, why: { value: 'a check by hand' } });
    await seen.close();
  });
});

describe('an execution', () => {
  it('with partitions shows them side by side with their bars, is stopped after its chunk, and goes on where it was', async () => {
    const seen = await visit(browser, service.url);
    const { page } = seen;
    const { id } = await next('archive');
    await seen.open(`/executions/${id}`);
    await page.getByText('Partitions, side by side').waitFor();
    const bars = page.getByRole('progressbar', { name: /^Progress of partition copy:part\d$/ });
    await expect.poll(() => page.locator('.partitions .panel').count()).toBe(3);
    const values = async (): Promise<number> =>
      (await bars.evaluateAll((all: { value: number }[]) => all.map(({ value }) => value))).reduce(
        (sum, value) => sum + value,
        0,
      );
    const whole = async (): Promise<number> =>
      Number(await page.getByRole('progressbar', { name: 'Progress of step copy' }).getAttribute('value'));
    allow(12);
    await expect.poll(values, PENDING).toBeCloseTo(12 / ITEMS);
    await expect.poll(whole, PENDING).toBeCloseTo(12 / (3 * ITEMS));
    await page
      .locator('.partitions')
      .getByText(/[1-9]\d* read, [1-9]\d* written, 0 skipped/)
      .first()
      .waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);
    await page.setViewportSize(NARROW);
    expect(await overflow(page)).toBeLessThanOrEqual(0);

    await button(page, 'Stop').click();
    await inDialog(page, 'Stop').click();
    await page.getByText('It stops after the chunk that it works on.').first().waitFor();
    // Each partition has begun an item.
    await eventually(async () => expect((await execution(id)).status).toBe('STOPPING'));
    allow(3);
    await status(page).filter({ hasText: 'STOPPED' }).waitFor(PENDING);
    expect(await button(page, 'Stop').count()).toBe(0);
    const written = (await execution(id)).steps.find(({ name }) => name === 'copy')!.writeCount;
    expect(written).toBeLessThan(3 * ITEMS);

    await button(page, 'Restart').click();
    await page.getByText('It goes on where it was.').waitFor();
    await expect.poll(() => idOf(page)).not.toBe(id);
    allow(3 * ITEMS);
    await status(page).filter({ hasText: 'COMPLETED' }).waitFor(PENDING);
    const again = await execution(idOf(page));
    expect(again.steps.find(({ name }) => name === 'copy')!.writeCount).toBe(3 * ITEMS - written);
    expect(seen.faults).toEqual([]);
    await seen.close();
  });

  it('that failed says why, and is restarted or abandoned', async () => {
    const seen = await visit(browser, service.url);
    const { page } = seen;
    const { id } = await next('send');
    await seen.open(`/executions/${id}`);
    await status(page).filter({ hasText: 'FAILED' }).waitFor(PENDING);
    await page.getByRole('region', { name: 'Exit description' }).getByText('The receiver does not answer').waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);
    unreachable = false;
    await button(page, 'Restart').click();
    await expect.poll(() => idOf(page)).not.toBe(id);
    await status(page).filter({ hasText: 'COMPLETED' }).waitFor(PENDING);
    expect(await button(page, 'Restart').count()).toBe(0);

    unreachable = true;
    const lost = await next('send');
    await seen.open(`/executions/${lost.id}`);
    await button(page, 'Abandon').click();
    await inDialog(page, 'Abandon').click();
    await status(page).filter({ hasText: 'ABANDONED' }).waitFor();
    expect((await execution(lost.id)).status).toBe('ABANDONED');
    expect([await button(page, 'Restart').count(), await button(page, 'Abandon').count()]).toEqual([0, 0]);
    expect(seen.faults).toEqual([]);
    await seen.close();
  });

  it('shows each skipped item with its error, page by page', async () => {
    const { id } = await next('check');
    await eventually(async () => expect((await execution(id)).status).toBe('COMPLETED'), { timeoutMs: 30_000 });
    const seen = await visit(browser, service.url);
    const { page } = seen;
    await seen.open(`/executions/${id}`);
    const items = page.getByRole('table', { name: 'Skipped items' }).locator('tbody tr');
    await expect.poll(() => items.count()).toBe(50);
    await page.getByRole('link', { name: 'Next page' }).click();
    await expect.poll(() => items.count()).toBe(10);
    const row = page.getByRole('row', { name: /RangeError: 119 is odd/ });
    expect((await row.getByRole('cell').allInnerTexts()).slice(0, 4)).toEqual([
      'read',
      'process',
      'RangeError: 119 is odd',
      '{"item":119}',
    ]);
    await page.getByRole('link', { name: 'First page' }).click();
    await expect.poll(() => items.count()).toBe(50);
    expect(seen.faults).toEqual([]);
    await seen.close();
  });
});

describe('the list of executions', () => {
  it.each([
    ['/jobs', 20],
    ['/jobs/send', 50],
  ])('%s goes forward and back by keys', async (path, size) => {
    unreachable = false;
    const { items } = await api<{ items: unknown[] }>('GET', 'jobs/send/executions?limit=1000');
    for (let runs = items.length; runs < 55; runs += 1) {
      const { id } = await next('send');
      await eventually(async () => expect((await execution(id)).endedAt).toBeDefined(), { timeoutMs: 30_000 });
    }
    const seen = await visit(browser, service.url);
    const { page } = seen;
    await seen.open(path);
    const rows = (): Promise<string[]> =>
      page
        .getByRole('table', { name: /^Executions/ })
        .locator('tbody td:first-child')
        .allInnerTexts();
    await expect.poll(async () => (await rows()).length).toBe(size);
    const first = await rows();
    await page.getByRole('link', { name: 'Next page' }).click();
    await expect.poll(async () => (await rows())[0]).toBe(String(Number(first.at(-1)) - 1));
    await page.getByRole('button', { name: 'Back' }).click();
    await expect.poll(rows).toEqual(first);
    expect(seen.faults).toEqual([]);
    await seen.close();
  });
});
