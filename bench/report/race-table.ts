import type { CellResult, Counted, RaceResult, Sample } from '../contest/contest.js';
import { isService, referenceOf, serviceOf } from './contestants.js';
import { figure, spread, times } from './format.js';
import { medianOf, operationsPerSecond } from './measured.js';
import { styled, table, widthOfTable, type Terminal } from './terminal.js';

interface Column {
  head: string;
  of: (cell: CellResult) => string;
}

/** One row for each contestant: its speed and its cost. Two tables if one is too wide for the terminal. */
export function raceTable(race: RaceResult, terminal: Terminal): string {
  const speed = speedColumns(race);
  const whole = [NAME, ...speed, ...COSTS];
  const parts =
    widthOf(race, whole) <= terminal.columns
      ? [whole]
      : [
          [NAME, ...speed],
          [NAME, ...COSTS],
        ];
  return parts.map((columns) => tableOf(race, columns, terminal)).join('\n');
}

/** The whole table as text: its heads, and a row for each contestant. */
export function raceCells(race: RaceResult): { head: string[]; rows: string[][] } {
  const columns = [NAME, ...speedColumns(race), ...COSTS];
  return { head: heads(columns), rows: rowsOf(race, columns) };
}

const NAME: Column = { head: 'contestant', of: ({ contestant }) => contestant };

const COSTS: readonly Column[] = [
  counted('per 1000:\nstatements', ({ statements }) => statements),
  counted('with\ndata', ({ dataStatements }) => dataStatements),
  counted('\ncommits', ({ commits }) => commits),
  counted('round\ntrips', ({ roundTrips }) => roundTrips),
  spent('WAL\nkB', ({ walBytes }) => walBytes / 1000),
  spent('Node\nCPU ms', ({ nodeCpuSeconds }) => inMs(nodeCpuSeconds)),
  spent('PostgreSQL\nCPU ms', ({ postgresCpuSeconds }) => inMs(postgresCpuSeconds)),
];

function speedColumns(race: RaceResult): Column[] {
  const [reference, service] = [referenceOf(race), serviceOf(race)];
  const columns: Column[] = [
    {
      head: 'operations/s\nmedian (min–max)',
      of: ({ samples }) => spread(throughput({ samples }), samples.map(operationsPerSecond)),
    },
  ];
  if (reference !== undefined) {
    columns.push({ head: `×\n${reference.contestant}`, of: (cell) => times(ratio(cell, reference)) });
  }
  if (service !== undefined) {
    columns.push({
      head: 'service\n÷ this',
      of: (cell) => (isService(cell.contestant) ? '' : times(ratio(service, cell))),
    });
  }
  return columns;
}

function counted(head: string, of: (counted: Counted) => number): Column {
  return { head, of: (cell) => figure(cell.counted && (of(cell.counted) * 1000) / cell.counted.operations) };
}

function spent(head: string, of: (sample: Sample) => number | undefined): Column {
  const perThousand = (sample: Sample): number | undefined => {
    const value = of(sample);
    return value === undefined ? undefined : (value * 1000) / sample.operations;
  };
  return { head, of: ({ samples }) => figure(medianOf(samples, perThousand)) };
}

const inMs = (seconds: number | undefined): number | undefined => (seconds === undefined ? undefined : seconds * 1000);

const throughput = ({ samples }: Pick<CellResult, 'samples'>): number | undefined =>
  medianOf(samples, operationsPerSecond);

function ratio(cell: CellResult, other: CellResult): number | undefined {
  const [value, by] = [throughput(cell), throughput(other)];
  return value === undefined || by === undefined ? undefined : value / by;
}

const heads = (columns: readonly Column[]): string[] => columns.map(({ head }) => head);

const rowsOf = ({ cells }: RaceResult, columns: readonly Column[]): string[][] =>
  cells.map((cell) => columns.map(({ of }) => of(cell)));

const widthOf = (race: RaceResult, columns: readonly Column[]): number =>
  widthOfTable(heads(columns), rowsOf(race, columns));

function tableOf(race: RaceResult, columns: readonly Column[], terminal: Terminal): string {
  const rows = rowsOf(race, columns).map((row, index) =>
    isService(race.cells[index]!.contestant) ? row.map((cell) => styled(terminal, ['bold', 'cyan'], cell)) : row,
  );
  return table(
    heads(columns),
    columns.map((_, index) => (index === 0 ? 'left' : 'right')),
    rows,
    terminal,
  );
}
