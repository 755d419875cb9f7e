import { styleText } from 'node:util';
import Table from 'cli-table3';

/** Where a report is printed. */
export interface Terminal {
  /** Characters a line holds; infinite for a file. */
  columns: number;
  colours: boolean;
}

type Style = Parameters<typeof styleText>[0];
type Align = 'left' | 'right';

export function terminalOf(stream: NodeJS.WriteStream, environment: NodeJS.ProcessEnv): Terminal {
  const colours = stream.isTTY && (environment.NO_COLOR ?? '') === '';
  return { columns: stream.isTTY ? stream.columns : Infinity, colours };
}

export const styled = ({ colours }: Terminal, style: Style, text: string): string =>
  colours ? styleText(style, text) : text;

/** A table that is not wider than the terminal. The first column wraps if it does not fit. */
export function table(
  head: readonly string[],
  aligns: readonly Align[],
  rows: readonly (readonly string[])[],
  terminal: Terminal,
): string {
  const whole = render(head, aligns, rows, terminal);
  const excess = whole.width - terminal.columns;
  if (excess <= 0) return whole.toString();
  const first = Math.max(...[head, ...rows].map(([cell = '']) => widthOf(cell))) + PADDING;
  return render(head, aligns, rows, terminal, Math.max(NARROWEST, first - excess)).toString();
}

export const widthOfTable = (head: readonly string[], rows: readonly (readonly string[])[]): number =>
  render(head, [], rows, { columns: Infinity, colours: false }).width;

const PADDING = 2;
const NARROWEST = 12;

const widthOf = (cell: string): number => Math.max(...cell.split('\n').map((line) => line.length));

function render(
  head: readonly string[],
  aligns: readonly Align[],
  rows: readonly (readonly string[])[],
  terminal: Terminal,
  first: number | null = null,
): Table.GenericTable<string[]> {
  const made = new Table({
    head: head.map((cell) => styled(terminal, 'bold', cell)),
    colAligns: [...aligns],
    colWidths: [first],
    wordWrap: true,
    // The library would colour them also for a file.
    style: { head: [], border: [], compact: true },
  }) as Table.GenericTable<string[]>;
  made.push(...rows.map((row) => [...row]));
  return made;
}
