import type { CellResult, RaceResult } from '../../contest/contest.js';
import { figure } from '../format.js';
import { medianOf } from '../measured.js';
import { sideBySide, type Panel } from './bars.js';
import { colourOf } from './palette.js';
import type { Plot } from './plot.js';

/** What each contestant of a race asked of PostgreSQL: figures that do not depend on how fast the machine was. */
export function costPlot(race: RaceResult | undefined): Plot | undefined {
  if (race === undefined) return undefined;
  const panel = (caption: string, unit: string, of: (cell: CellResult) => number | undefined): Panel => ({
    ...{ caption, unit },
    bars: race.cells.map((cell) => {
      const value = of(cell);
      const point = value ?? 0;
      const label = value === undefined ? 'not measured' : figure(value);
      return { name: cell.contestant, colour: colourOf(cell.contestant), value, low: point, high: point, label };
    }),
  });
  return sideBySide(
    'What applying costs PostgreSQL',
    'For each 1000 plain inserts, from the filled queue into their table; what it took to fill the queue is not in it',
    [
      panel('WAL', 'kB', ({ samples }) => medianOf(samples, ({ walBytes, operations }) => walBytes / operations)),
      panel('Statements', 'statements', ({ counted }) => counted && (counted.statements * 1000) / counted.operations),
      panel('Round trips', 'round trips', ({ counted }) => counted && (counted.roundTrips * 1000) / counted.operations),
    ],
  );
}
