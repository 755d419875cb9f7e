import { median } from '../../../test/measure/statistics.js';
import type { CellResult, RaceResult } from '../../contest/contest.js';
import { referenceOf } from '../contestants.js';
import { figure, times } from '../format.js';
import { operationsPerSecond } from '../measured.js';
import { stacked, type Bar, type Panel } from './bars.js';
import { colourOf } from './palette.js';
import type { Plot } from './plot.js';

/** How fast each contestant of some races was: median, lowest and highest, and as a multiple of the reference. */
export function throughputPlot(title: string, races: readonly RaceResult[]): Plot | undefined {
  if (races.length === 0) return undefined;
  return stacked(title, 'Operations a second: median of the repetitions, whiskers from the lowest to the highest', [
    ...races.map(panelOf),
  ]);
}

function panelOf(race: RaceResult): Panel {
  const reference = referenceOf(race);
  const bars = race.cells.map((cell): Bar => {
    const rates = cell.samples.map(operationsPerSecond);
    const share =
      reference && reference !== cell ? `   ${times(rateOf(cell) / rateOf(reference))} ${reference.contestant}` : '';
    return {
      ...{ name: cell.contestant, colour: colourOf(cell.contestant), value: rateOf(cell) },
      ...{ low: Math.min(...rates), high: Math.max(...rates), label: `${figure(rateOf(cell))}${share}` },
    };
  });
  return { caption: race.title, unit: 'operations/s', bars };
}

const rateOf = ({ samples }: CellResult): number => median(samples.map(operationsPerSecond));
