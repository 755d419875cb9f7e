import { median } from '../../test/measure/statistics.js';
import type { CellResult, Counted, FigureResult, Reading, Sample } from '../contest/contest.js';

/** Looks numbers up in the figures of a run. Undefined if the run has not measured them. */
export class Measured {
  constructor(private readonly figures: readonly FigureResult[]) {}

  /** Median throughput of one contestant over that of another one, in the same race. */
  throughputRatio(race: string, contestant: string, control: string): number | undefined {
    return ratio(this.throughput(race, contestant), this.throughput(race, control));
  }

  perOperation(race: string, contestant: string, of: (sample: Sample) => number | undefined): number | undefined {
    const cell = this.cell(race, contestant);
    return cell && medianOf(cell.samples, (sample) => dividedBy(of(sample), sample.operations));
  }

  countedPerThousand(race: string, contestant: string, of: (counted: Counted) => number): number | undefined {
    const counted = this.cell(race, contestant)?.counted;
    return counted && (of(counted) * 1000) / counted.operations;
  }

  /** The median of a reading. */
  reading(study: string, name: string): number | undefined {
    return middle(this.readings(study).find((reading) => reading.name === name)?.values ?? []);
  }

  /** The highest value of a reading. */
  highestReading(study: string, name: string): number | undefined {
    const values = this.readings(study).find((reading) => reading.name === name)?.values ?? [];
    return values.length === 0 ? undefined : Math.max(...values);
  }

  /** The highest median of all readings whose names begin like this: the worst case. */
  worstReading(study: string, beginning: string): number | undefined {
    const medians = this.readings(study)
      .filter(({ name }) => name.startsWith(beginning))
      .map(({ values }) => middle(values))
      .filter((value) => value !== undefined);
    return medians.length === 0 ? undefined : Math.max(...medians);
  }

  readingRatio(study: string, name: string, other: string): number | undefined {
    return ratio(this.reading(study, name), this.reading(study, other));
  }

  private throughput(race: string, contestant: string): number | undefined {
    const cell = this.cell(race, contestant);
    return cell && medianOf(cell.samples, operationsPerSecond);
  }

  private cell(race: string, contestant: string): CellResult | undefined {
    const result = this.figures.find(({ kind, name }) => kind === 'race' && name === race);
    return result?.kind === 'race' ? result.cells.find((cell) => cell.contestant === contestant) : undefined;
  }

  private readings(study: string): readonly Reading[] {
    const result = this.figures.find(({ kind, name }) => kind === 'study' && name === study);
    return result?.kind === 'study' ? result.readings : [];
  }
}

export const operationsPerSecond = ({ operations, seconds }: Sample): number => operations / seconds;

/** Undefined if there is no sample, or if one does not have it. */
export function medianOf(samples: readonly Sample[], of: (sample: Sample) => number | undefined): number | undefined {
  const values = samples.map(of).filter((value) => value !== undefined);
  return values.length === samples.length ? middle(values) : undefined;
}

/** Undefined for an empty list. */
function middle(values: readonly number[]): number | undefined {
  return values.length === 0 ? undefined : median(values);
}

const dividedBy = (value: number | undefined, by: number): number | undefined =>
  value === undefined ? undefined : value / by;

const ratio = (value: number | undefined, other: number | undefined): number | undefined =>
  value === undefined || other === undefined ? undefined : value / other;
