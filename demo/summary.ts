import type { TableComparison } from './compare-tables.js';
import type { ChunkFigures } from './demo-service.js';
import { grouped, perSecond, seconds } from './numbers.js';
import type { Story } from './verify.js';

/** What a run of the demo has shown. */
export interface DemoResult {
  stories: Story[];
  chunks: ChunkFigures[];
  tables: TableComparison[];
  /** Notifications that came a second time. */
  repeated: number;
  /** From the first call to the last notification. */
  endToEndMs: number;
  rowByRowMs: number;
  /** Everything that is wrong; empty in a good run. */
  differences: string[];
}

export type Paint = (style: 'bold' | 'green' | 'red' | 'dim', text: string) => string;

const SHOWN_DIFFERENCES = 10;

/** The result for people, on one screen. Pure. */
export function summarise(result: DemoResult, paint: Paint, width: number): string[] {
  return [...outcomes(result, paint, width), '', ...speed(result, paint), '', ...verdict(result, paint)];
}

function outcomes({ stories }: DemoResult, paint: Paint, width: number): string[] {
  const completed = stories.filter(({ notified }) => notified?.status === 'completed');
  const failed = reasons(stories, ({ notified }) =>
    notified?.status === 'failed' ? { code: notified.code, message: notified.message } : undefined,
  );
  const refused = reasons(stories, ({ answer }) =>
    'refused' in answer ? { code: answer.refused, message: answer.message } : undefined,
  );
  return [
    paint('bold', `${grouped(stories.length)} operations`),
    `  ${count(completed.length)} completed`,
    `  ${count(total(failed))} failed, each for its own reason`,
    ...failed.map((reason) => line(reason, paint, width)),
    `  ${count(total(refused))} refused at once, nothing stored`,
    ...refused.map((reason) => line(reason, paint, width)),
  ];
}

interface Reason {
  code: string;
  count: number;
  example: string;
}

function reasons(
  stories: readonly Story[],
  reasonOf: (story: Story) => { code: string; message: string } | undefined,
): Reason[] {
  const byCode = new Map<string, Reason>();
  for (const story of stories) {
    const reason = reasonOf(story);
    if (!reason) continue;
    const known = byCode.get(reason.code) ?? { code: reason.code, count: 0, example: reason.message };
    known.count += 1;
    byCode.set(reason.code, known);
  }
  return [...byCode.values()].sort((a, b) => b.count - a.count);
}

const total = (all: readonly Reason[]): number => all.reduce((sum, { count: times }) => sum + times, 0);

function line({ code, count: times, example }: Reason, paint: Paint, width: number): string {
  const start = `    ${grouped(times).padStart(6)} ${code.padEnd(19)} `;
  const text = example.replaceAll('\n', ' ');
  const room = width - start.length;
  return start + paint('dim', text.length > room ? `${text.slice(0, room - 1)}…` : text);
}

function speed({ stories, chunks, endToEndMs, rowByRowMs }: DemoResult, paint: Paint): string[] {
  const accepted = stories.filter(({ answer }) => 'accepted' in answer).length;
  const statements = chunks.reduce((sum, chunk) => sum + chunk.statements, 0);
  const isolating = chunks.filter(({ fallback }) => fallback).length;
  const applyMs = chunks.reduce((sum, chunk) => sum + chunk.durationMs, 0);
  const row = (label: string, operations: number, ms: number, how: string): string =>
    `  ${label.padEnd(14)}${count(perSecond(operations, ms)).padStart(9)}/s  ${seconds(ms).padStart(8)}  ${paint('dim', how)}`;
  return [
    paint('bold', 'Operations a second'),
    row('Batch Service', stories.length, endToEndMs, 'from the first call to the last notification'),
    row(
      '  applying',
      accepted,
      applyMs,
      `${grouped(statements)} statements in ${chunks.length} chunks, ${isolating} of which had to isolate bad ones`,
    ),
    row(
      'row by row',
      accepted,
      rowByRowMs,
      `one connection, ${grouped(accepted)} statements, a commit each, nobody told`,
    ),
    `  ${paint('bold', `${(rowByRowMs / endToEndMs).toFixed(1)} times as fast`)} with queue and notifications, ` +
      `${(rowByRowMs / applyMs).toFixed(1)} times in the chunks alone`,
  ];
}

function verdict({ stories, tables, repeated, differences }: DemoResult, paint: Paint): string[] {
  if (differences.length > 0) {
    return [
      paint('red', `✗ ${grouped(differences.length)} differences; the first of them:`),
      ...differences.slice(0, SHOWN_DIFFERENCES).map((difference) => `  ${difference}`),
    ];
  }
  const accepted = stories.filter(({ answer }) => 'accepted' in answer).length;
  const again = repeated === 0 ? 'none twice' : `${repeated} notifications twice`;
  const rows = tables.map(({ table, rows: number }) => `${table} ${grouped(number)}`).join(', ');
  const check = paint('green', '✓');
  return [
    `${check} all ${grouped(accepted)} accepted operations have a notification, ${again}`,
    `${check} each has the outcome of row by row: status, rows affected, SQLSTATE, constraint, column`,
    `${check} the tables are equal: ${rows}`,
    `${check} the service stopped on SIGTERM with status 0`,
  ];
}

const count = (value: number): string => grouped(value).padStart(6);
