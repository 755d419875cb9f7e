import { median } from '../../test/measure/statistics.js';
import type { BenchReport, FigureResult, Verdict } from '../contest/contest.js';
import { isService } from './contestants.js';
import { figure, spread } from './format.js';
import { raceCells } from './race-table.js';

/** A run as a page of Markdown: what it ran on, the targets, and a table for each figure. */
export function markdownReport(report: BenchReport): string {
  const { startedAt, seconds, commit, machine, servers, scale, figures, verdicts } = report;
  const { cpus, model, memoryGb, node, platform } = machine;
  const parts = [
    '# Figures of one run',
    'Written by `npm run bench`. Do not edit it: the next run writes it anew. `docs/performance.md` says how it is measured.',
    bulleted([
      `Started ${startedAt}, ${Math.round(seconds / 60)} minutes${commit === undefined ? '' : `, commit ${commit.slice(0, 12)}`}`,
      `${cpus} × ${model}, ${memoryGb} GB, ${platform}, Node ${node}`,
      ...servers,
      `${figure(scale.operations)} operations, ${scale.repetitions} repetitions after ${scale.warmUps} that do not count`,
    ]),
    '## Targets',
    table(['target', 'claim', 'value', 'verdict'], verdicts.map(verdictRow), ['right', 'left', 'right', 'left']),
    ...figures.flatMap((result) => [`## ${result.title}`, tableOf(result)]),
  ];
  return `${parts.join('\n\n')}\n`;
}

function tableOf(result: FigureResult): string {
  switch (result.kind) {
    case 'race': {
      const { head, rows } = raceCells(result);
      const shown = rows.map((row) => (isService(row[0] ?? '') ? row.map(bold) : row));
      return table(head, shown, ['left', ...head.slice(1).map(() => 'right' as const)]);
    }
    case 'study':
      return table(
        ['reading', 'median (min–max)', 'unit'],
        result.readings.map(({ name, unit, values }) => [name, spread(median(values), values), unit]),
        ['left', 'right', 'left'],
      );
    default:
      return result satisfies never;
  }
}

function verdictRow({ target, claim, value, met }: Verdict): string[] {
  const judgement = met === undefined ? 'not measured' : met ? 'met' : bold('missed');
  return [String(target), claim, figure(value), judgement];
}

const bulleted = (lines: readonly string[]): string => lines.map((line) => `- ${line}`).join('\n');

const bold = (text: string): string => (text === '' ? text : `**${text}**`);

function table(head: readonly string[], rows: readonly string[][], aligns: readonly ('left' | 'right')[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(escaped).join(' | ')} |`;
  const rule = `| ${aligns.map((align) => (align === 'right' ? '---:' : '---')).join(' | ')} |`;
  return [line(head), rule, ...rows.map(line)].join('\n');
}

/** A cell of Markdown must be one line, and a bar would end it. */
const escaped = (text: string): string => text.replaceAll('\n', ' ').replaceAll('|', '\\|').trim();
