import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { startTestApp, type TestApp } from '../support/app.js';

const ROOT = resolve(import.meta.dirname, '../..');
const DOCS = 'docs/metrics.md';
const RULES = 'deploy/prometheus/batch-service.rules.yml';
const RULES_TEST = 'deploy/prometheus/batch-service.rules.test.yml';
const CONFIG = 'deploy/prometheus/prometheus.yml';
const DASHBOARD = 'deploy/grafana/batch-service.json';

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

interface RulesFile {
  groups: { name: string; rules: Rule[] }[];
}

interface Rule {
  alert?: string;
  expr?: string;
  for?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
}

interface Panel {
  id: number;
  type: string;
  title: string;
  gridPos: { x: number; y: number; w: number; h: number };
  datasource?: { type: string; uid: string };
  targets?: { refId: string; expr: string; datasource?: { uid: string } }[];
}

interface Dashboard {
  uid: string;
  title: string;
  schemaVersion: number;
  templating: { list: { name: string; type: string; definition?: string }[] };
  panels: Panel[];
}

const { groups } = parse(read(RULES)) as RulesFile;
const rules = groups.flatMap((group) => group.rules);
const dashboard = JSON.parse(read(DASHBOARD)) as Dashboard;
const plots = dashboard.panels.filter(({ type }) => type !== 'row');
const queries = plots.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));

/** Rows of the tables of the page: `| `name` | type | … |`. */
const documented = new Map(
  [...read(DOCS).matchAll(/^\| `(\w+)` +\| (counter|gauge|histogram|summary) +\|/gm)].map(([, name, type]) => [
    name!,
    type!,
  ]),
);

/** Names of metrics in a query or a text. A histogram serves each of its series under a name of its own. */
function namesIn(text: string): string[] {
  const names = text.match(/\b(?:batch|nodejs|process)_[a-z0-9_]+/g) ?? [];
  return [...new Set(names.map((name) => name.replace(/_(?:bucket|sum|count)$/, '')))];
}

const promtool = ((): string | undefined => {
  try {
    return /version (\S+)/.exec(execFileSync('promtool', ['--version'], { stdio: 'pipe' }).toString())?.[1];
  } catch {
    return undefined;
  }
})();
const by = promtool === undefined ? 'promtool (NOT CHECKED: it is not installed here)' : `promtool ${promtool}`;

/** @throws with its output when it refuses the file */
function runPromtool(args: readonly string[]): string {
  try {
    return execFileSync('promtool', args, { cwd: join(ROOT, 'deploy/prometheus'), stdio: 'pipe' }).toString();
  } catch (error) {
    const { stdout, stderr } = error as { stdout: Buffer; stderr: Buffer };
    throw new Error(`promtool ${args.join(' ')}: ${stdout.toString()}${stderr.toString()}`, { cause: error });
  }
}

describe('what is written about metrics', () => {
  let service: TestApp;
  /** By name: the type that `/metrics` says. */
  let served: Map<string, string>;

  beforeAll(async () => {
    service = await startTestApp();
    const body = await (await fetch(`${service.url}/metrics`)).text();
    served = new Map([...body.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name!, type!]));
  });
  afterAll(() => service.close());

  it(`names in ${DOCS} every metric that a running service serves, with its type`, () => {
    expect(served.size).toBeGreaterThan(50);
    const missing = [...served.keys()].filter((name) => !documented.has(name));
    expect(missing, `add a row to ${DOCS} for each of these`).toEqual([]);
    const otherType = [...served].filter(([name, type]) => documented.get(name) !== type);
    expect(otherType, `correct the types in ${DOCS}`).toEqual([]);
  });

  it.each([
    [DOCS, () => [...documented.keys(), ...namesIn(read(DOCS))]],
    [RULES, () => namesIn(rules.map(({ expr }) => expr).join('\n'))],
    [RULES_TEST, () => namesIn(read(RULES_TEST))],
    [DASHBOARD, () => namesIn(read(DASHBOARD))],
  ])('names in %s no metric that the service does not serve', (file, names) => {
    expect(names().length).toBeGreaterThan(3);
    const unknown = names().filter((name) => !served.has(name));
    expect(unknown, `${file} names metrics that /metrics does not have`).toEqual([]);
  });
});

describe(RULES, () => {
  it('has the alerts of the page, and no others', () => {
    const named = [...new Set(read(DOCS).match(/\bBatch[A-Z]\w+/g))];
    // The page does not name the alert that asks for no metric of the service.
    const alerts = rules.map(({ alert }) => alert).filter((alert) => alert !== 'BatchServiceDown');
    expect(alerts.sort()).toEqual(named.sort());
  });

  it('says of each alert how bad it is, and what it means', () => {
    for (const { alert, expr, labels, annotations } of rules) {
      expect(alert).toMatch(/^Batch[A-Z]\w+$/);
      expect(expr?.trim(), alert).toBeTruthy();
      expect(['warning', 'critical'], alert).toContain(labels?.severity);
      expect(annotations?.summary, alert).toBeTruthy();
    }
  });

  it.skipIf(promtool === undefined)(`is accepted by ${by}, and its alerts fire as its test says`, () => {
    expect(runPromtool(['check', 'rules', 'batch-service.rules.yml'])).toContain(`SUCCESS: ${rules.length} rules`);
    expect(runPromtool(['test', 'rules', 'batch-service.rules.test.yml'])).toContain('SUCCESS');
  });
});

describe(CONFIG, () => {
  it('loads the rules, and gives the service the name that they expect', () => {
    const config = parse(read(CONFIG)) as { rule_files: string[]; scrape_configs: { job_name: string }[] };
    expect(config.rule_files).toEqual(['batch-service.rules.yml']);
    expect(config.scrape_configs.map(({ job_name }) => job_name)).toEqual(['batch-service']);
    expect(read(RULES)).toContain('up{job="batch-service"}');
  });

  it.skipIf(promtool === undefined)(`is accepted by ${by}`, () => {
    expect(runPromtool(['check', 'config', 'prometheus.yml'])).toContain('SUCCESS');
  });
});

// Grafana is not at hand: its own loader has not seen the file.
describe(`${DASHBOARD} (not loaded by Grafana itself)`, () => {
  it('has what Grafana needs to show a dashboard', () => {
    expect(dashboard).toMatchObject({ uid: 'batch-service', title: 'Batch Service' });
    expect(dashboard.schemaVersion).toBeGreaterThanOrEqual(36);
    const ids = dashboard.panels.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { title, targets = [], datasource } of plots) {
      expect(targets.length, title).toBeGreaterThan(0);
      expect(new Set(targets.map(({ refId }) => refId)).size, title).toBe(targets.length);
      // The one that the viewer chooses.
      for (const each of [datasource, ...targets.map((target) => target.datasource)])
        expect(each?.uid, title).toBe('${datasource}');
    }
  });

  it('places its panels side by side in 24 columns', () => {
    const cells = dashboard.panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, n) => [x + (n % w), y + Math.floor(n / w)] as const),
    );
    expect(cells.filter(([column]) => column > 23)).toEqual([]);
    expect(new Set(cells.map(String)).size).toBe(cells.length);
  });

  it('uses only variables that it declares, or that Grafana has', () => {
    const declared = new Set(dashboard.templating.list.map(({ name }) => name));
    const used = new Set([...read(DASHBOARD).matchAll(/\$\{?(\w+)/g)].map(([, name]) => name!));
    expect([...used].filter((name) => !declared.has(name) && name !== '__rate_interval')).toEqual([]);
  });

  it.skipIf(promtool === undefined)(`has queries that ${by} accepts`, () => {
    const folder = mkdtempSync(join(tmpdir(), 'batch-dashboard-'));
    try {
      const file = join(folder, 'queries.yml');
      const asRules = queries.map((expr, index) => ({
        record: `query_${index}`,
        expr: expr.replaceAll('$__rate_interval', '1m').replaceAll('$job', '.+'),
      }));
      writeFileSync(file, stringify({ groups: [{ name: 'dashboard', rules: asRules }] }));
      expect(runPromtool(['check', 'rules', file])).toContain(`SUCCESS: ${queries.length} rules`);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
