import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BenchReport } from '../contest/contest.js';
import { markdownReport } from './markdown-report.js';
import { orderedJson } from './ordered-json.js';
import { plotReport } from './plots/plot-report.js';

/**
 * Writes a run to a folder: as `latest.json`, as `figures.md` for people, and a plot for each measured figure. The
 * plots of other figures stay as they are: each names its run at its foot.
 *
 * @param dated also writes JSON under its time
 * @returns the names of the files
 */
export async function writeReport(report: BenchReport, folder: string, dated: boolean): Promise<string[]> {
  const json = orderedJson(report);
  const files = new Map([['latest.json', json], ['figures.md', markdownReport(report)], ...plotReport(report)]);
  if (dated) files.set(`${minuteOf(report.startedAt)}.json`, json);
  await mkdir(folder, { recursive: true });
  for (const [name, content] of files) await writeFile(join(folder, name), content);
  return [...files.keys()];
}

/** `2026-01-31T08:05:09.123Z` as `2026-01-31T0805`: Windows allows no colon in a file name. */
const minuteOf = (instant: string): string => new Date(instant).toISOString().slice(0, 16).replace(':', '');
