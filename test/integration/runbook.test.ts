import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { OpenAPIObject } from '@nestjs/swagger';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ALERTS_USAGE } from '../../src/bootstrap/alerts-command.js';
import { JOB_USAGE } from '../../src/bootstrap/job/job-command.js';
import { KEYS_USAGE } from '../../src/bootstrap/keys-command.js';
import { NOTIFICATIONS_USAGE } from '../../src/bootstrap/notifications-command.js';
import { OPERATIONS_USAGE } from '../../src/bootstrap/operations-command.js';
import { PARKED_MESSAGES_USAGE } from '../../src/bootstrap/parked-messages-command.js';
import { PAUSES_USAGE } from '../../src/bootstrap/pauses-command.js';
import { ALERT_RULES } from '../../src/interfaces/alert.js';
import { REFUSAL_CODES } from '../../src/interfaces/error.js';
import { WAIT_KINDS } from '../../src/interfaces/waiting.js';
import { describeError } from '../../src/services/errors/error-catalog.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { onDatabase } from '../support/test-databases.js';
import { uniqueName } from '../support/unique-name.js';

const ROOT = resolve(import.meta.dirname, '../..');
const RUNBOOK = 'docs/runbook.md';
/** Pages that tell an operator what to run. */
const PAGES = [
  RUNBOOK,
  ...['waiting', 'bulk-actions', 'pauses', 'postgresql', 'alerts'].map((name) => `docs/${name}.md`),
];

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const matches = (text: string, pattern: RegExp): string[] => [...text.matchAll(pattern)].map(([, found]) => found!);

/** Blocks of SQL, and SQL within a line. The operator fills in what stands for an id or a process. */
function sqlOf(page: string): string[] {
  const text = read(page);
  return [...matches(text, /^```sql\n(.*?)^```/gms), ...matches(text, /`(select [^`]+)`/g)].map((sql) =>
    sql.replaceAll("'…'", "'0198f2a0-3b1c-7d4e-9f50-6a7b8c9d0e1f'").replaceAll('<id>', '1').replaceAll('<pid>', '0'),
  );
}

/** What the runbook tells an administrator to grant to operators. */
const [GRANTS = ''] = matches(read(RUNBOOK), /`(grant [^`]+ to night)`/g);

/** Entries of the runbook: a heading and the text below it, up to the next one. */
const entries = read(RUNBOOK)
  .replace(/^```.*?^```/gms, '')
  .split(/^(?=##+ )/m)
  .slice(1);

let service: TestApp;
let document: OpenAPIObject;

beforeAll(async () => {
  service = await startTestApp({ BATCH_SERVICE_RMQ_URL: '', BATCH_ROLE: 'api' });
  document = (await (await fetch(`${service.url}/api/docs-json`)).json()) as OpenAPIObject;
});
afterAll(() => service.close());

describe('SQL for operators', () => {
  const role = uniqueName('night');
  beforeAll(async () => {
    await service.database.client.query(`create role ${role}; ${GRANTS.replaceAll(' to night', ` to ${role}`)}`);
  });
  afterAll(() => service.database.client.query(`drop owned by ${role}; drop role ${role}`));

  it.each(PAGES.filter((page) => sqlOf(page).length > 0))(
    'of %s can be run by a role that may only read',
    async (page) => {
      await onDatabase(service.database.connection, async (client) => {
        await client.query(`set role ${role}`);
        await client.query('set default_transaction_read_only = on');
        for (const sql of sqlOf(page)) {
          await expect(client.query(sql), `${page}:\n${sql}`).resolves.toBeDefined();
        }
      });
    },
  );

  it('is in the runbook, in many places', () => {
    expect(GRANTS).toMatch(/^grant usage on schema batch/);
    expect(sqlOf(RUNBOOK).length).toBeGreaterThan(15);
    expect(sqlOf('docs/waiting.md')).toHaveLength(1);
  });

  it('of the role that may only read changes nothing', async () => {
    await onDatabase(service.database.connection, async (client) => {
      await client.query(`set role ${role}`);
      await expect(client.query('delete from batch.lane_blocks')).rejects.toMatchObject({ code: '42501' });
    });
  });
});

describe('requests that are named for operators', () => {
  type Item = OpenAPIObject['paths'][string];
  const METHODS = { GET: 'get', POST: 'post', DELETE: 'delete' } as const;

  /** Such as `GET /lanes?state=all`, with or without `/api/v1`. */
  const requestsOf = (page: string): string[] => matches(read(page), /`((?:GET|POST|DELETE) \/?[a-z][\w/:?=&-]*)/g);

  function find(request: string): Item['get'] {
    const [, method = '', named = ''] = /^(\w+) (.+)$/.exec(request)!;
    const [path = '', query = ''] = named.replace(/^\/?/, '/').split('?');
    const inForm = path.replace(/:(\w+)/g, '{$1}');
    const item = document.paths[inForm] ?? document.paths[`/api/v1${inForm}`];
    const operation = item?.[METHODS[method as keyof typeof METHODS]];
    const known = (operation?.parameters ?? []) as { name: string; in: string }[];
    const parameters = [...new URLSearchParams(query).keys()];
    return parameters.every((name) => known.some((each) => each.in === 'query' && each.name === name))
      ? operation
      : undefined;
  }

  it.each(PAGES.filter((page) => requestsOf(page).length > 0))('in %s are in the description of the API', (page) => {
    const unknown = requestsOf(page).filter((request) => find(request) === undefined);
    expect(unknown, page).toEqual([]);
  });

  it('are told from those that do not exist', () => {
    expect(requestsOf(RUNBOOK).length).toBeGreaterThan(15);
    expect(find('GET /lanes?state=all')).toBeDefined();
    for (const wrong of ['GET /lane', 'DELETE /lanes', 'GET /lanes?status=all'])
      expect(find(wrong), wrong).toBeUndefined();
  });
});

describe('commands that are named for operators', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
  /** What `--help` of each command prints. */
  const USAGES: Record<string, string> = {
    alerts: ALERTS_USAGE,
    job: JOB_USAGE,
    keys: KEYS_USAGE,
    notifications: NOTIFICATIONS_USAGE,
    operations: OPERATIONS_USAGE,
    'parked-messages': PARKED_MESSAGES_USAGE,
    pauses: PAUSES_USAGE,
  };

  /** `npm run pauses -- list` as its script and its words. */
  const commandsOf = (page: string): { script: string; words: string[] }[] =>
    [...read(page).matchAll(/npm run (?:--silent )?([\w:-]+)(?: -- ([^`#\n]*))?/g)].map(
      ([, script = '', rest = '']) => ({
        script,
        words: rest.split(' ').filter(Boolean),
      }),
    );

  function faultOf({ script, words: [command, ...words] }: { script: string; words: string[] }): string | undefined {
    if (scripts[script] === undefined) return `there is no script ${script}`;
    if (command === undefined) return undefined;
    const usage = USAGES[script] ?? '';
    if (!new RegExp(`^ +${command}(?= |$)| -- ${command}(?= |$)`, 'm').test(usage))
      return `${script} has no ${command}`;
    const wrong = words.find((word) => word.startsWith('--') && !new RegExp(`${word}(?![\\w-])`).test(usage));
    return wrong === undefined ? undefined : `${script} ${command} has no ${wrong}`;
  }

  it.each(PAGES.filter((page) => commandsOf(page).length > 0))('in %s exist, with each of their options', (page) => {
    expect(commandsOf(page).map(faultOf).filter(Boolean), page).toEqual([]);
  });

  it('are told from those that do not exist', () => {
    expect(commandsOf(RUNBOOK).length).toBeGreaterThan(8);
    const wrong = [
      { script: 'pause', words: [] },
      { script: 'pauses', words: ['stop'] },
      { script: 'operations', words: ['retry', '--dry'] },
    ];
    for (const each of wrong) expect(faultOf(each), each.script).toBeDefined();
  });

  it('have a usage here, if they are commands of a person', () => {
    const named = new Set(PAGES.flatMap(commandsOf).map(({ script }) => script));
    expect([...named].filter((script) => USAGES[script] === undefined)).toEqual(['start:worker']);
  });
});

describe(RUNBOOK, () => {
  const PARTS = ['Page', 'Command', 'SQL', 'Cure'];
  const REFUSALS_503 = REFUSAL_CODES.filter((code) => describeError(code).httpStatus === 503);
  const pageNames = matches(read('ui/src/routes.tsx'), /\{ page: '[^']+', name: '([^']+)' \}/g);
  const ui = readdirSync(join(ROOT, 'ui/src'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.tsx'))
    .map((name) => read(join('ui/src', name)))
    .join('\n');

  const partsOf = (entry: string): string[] =>
    PARTS.filter((part) => new RegExp(`\\*\\*${part}\\*\\*[:,]`).test(entry));

  it.each([
    ...ALERT_RULES.map((name) => ['alert', name]),
    ...WAIT_KINDS.map((name) => ['reason', name]),
    ...REFUSALS_503.map((name) => ['code', name]),
  ])('has an entry with page, command, SQL and cure for the %s %s', (what, name) => {
    const seen = new RegExp(`\\*\\*You see\\*\\*:(?:[^*]|\\*(?!\\*))*?\\b${what}s? [^.;]*?\`${name}\``);
    const found = entries.filter((entry) => seen.test(entry));
    expect(found, `${what} ${name}`).not.toEqual([]);
    expect(found.map(partsOf)).toContainEqual(PARTS);
  });

  it('names pages that the dashboard has', () => {
    const named = entries.flatMap((entry) => matches(entry, /\*\*Page\*\*: ([^\n]*?)(?=[.,;:(]| →| \*\*|$)/gm));
    expect(pageNames).toContain('Overview');
    expect(named.length).toBeGreaterThan(10);
    const unknown = named.flatMap((text) => text.split(' or ')).filter((name) => !pageNames.includes(name));
    expect(unknown).toEqual([]);
  });

  it('names links that the dashboard has', () => {
    const named = entries.flatMap((entry) => matches(entry, /\*\*Page\*\*: [^\n]*?“([^”]+)”/g));
    expect(named).toContain('Who holds the lock');
    expect(named.filter((name) => !ui.includes(`>${name}<`))).toEqual([]);
  });

  it('names buttons that the dashboard has', () => {
    const named = entries.flatMap((entry) => matches(entry, /→ \*\*([^*]+)\*\*/g));
    expect(named.length).toBeGreaterThan(5);
    expect(named.filter((name) => !ui.includes(`"${name}"`) && !ui.includes(`'${name}'`))).toEqual([]);
  });
});
