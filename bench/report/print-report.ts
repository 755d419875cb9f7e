import { median } from '../../test/measure/statistics.js';
import type { BenchReport, FigureResult, Verdict } from '../contest/contest.js';
import { figure, spread } from './format.js';
import { raceTable } from './race-table.js';
import { styled, table, terminalOf, type Terminal } from './terminal.js';

const QUICK =
  'A quick run: it shows that everything works and how the contestants compare, roughly. Judge by the long one.';

/** Prints the results of a run: a table for each figure, then each target with its verdict. */
export function printReport(
  report: BenchReport,
  say: (line: string) => void,
  terminal: Terminal = terminalOf(process.stdout, process.env),
): void {
  const heading = (text: string): void => say(`\n${styled(terminal, 'bold', text)}`);
  const { cpus, model, memoryGb, node, platform } = report.machine;
  say(`${cpus} × ${model}, ${figure(memoryGb)} GB, ${platform}, Node ${node}`);
  for (const server of report.servers) say(server);
  for (const result of report.figures) {
    heading(`${result.name}: ${result.title}`);
    say(tableOf(result, terminal));
  }
  heading('Targets');
  say(verdictTable(report.verdicts, terminal));
  if (!report.scale.quick) return;
  say(`\n${QUICK}`);
  if (report.leftOut.length > 0) say(`Left out:\n${report.leftOut.map((line) => `  ${line}`).join('\n')}`);
}

function tableOf(result: FigureResult, terminal: Terminal): string {
  switch (result.kind) {
    case 'race':
      return raceTable(result, terminal);
    case 'study':
      return table(
        ['reading', 'median (min–max)', 'unit'],
        ['left', 'right', 'left'],
        result.readings.map(({ name, unit, values }) => [name, spread(median(values), values), unit]),
        terminal,
      );
    default:
      return result satisfies never;
  }
}

function verdictTable(verdicts: readonly Verdict[], terminal: Terminal): string {
  const rows = verdicts.map((verdict) => [
    verdict.claim,
    String(verdict.target),
    figure(verdict.value),
    judgement(verdict, terminal),
  ]);
  return table(['claim', 'target', 'value', ''], ['left', 'right', 'right', 'left'], rows, terminal);
}

function judgement({ met }: Verdict, terminal: Terminal): string {
  if (met === undefined) return styled(terminal, 'dim', 'not measured');
  return met ? styled(terminal, 'green', 'met') : styled(terminal, ['bold', 'red'], 'missed');
}
