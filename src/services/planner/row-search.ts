import type { UniqueKey } from '../catalog/table.js';
import type { Steps } from '../steps/steps.js';
import type { BoundOperation } from './bound-operation.js';
import { addHeld, heldAt, type HeldRow } from './held-rows.js';
import { combinations, type Value } from './value.js';

/** A value that an operation may write. `place` is its column's place among the followed columns. */
export interface Write {
  place: number;
  value: Value;
}

/** An operation that finds its row by another key than the identity. */
export interface Searching {
  operation: BoundOperation;
  key: UniqueKey;
  sought: Value;
  writes: readonly Write[];
}

/**
 * Finds the rows that operations may touch if they search by another key. What such an operation writes may let another
 * one find the row, and so on. So only the operations that search for a new value of a row are shown this value. Pure.
 */
export class RowSearch {
  private readonly keys = new Map<UniqueKey, Seekers>();
  private readonly found = new Map<Searching, Set<HeldRow>>();
  private readonly waiting: { searching: Searching; row: HeldRow }[] = [];
  private steps = 0;

  /**
   * @param placesOf the places of a key's columns among the followed columns
   * @param maxSteps the search gives up after this number of steps
   */
  constructor(
    private readonly rows: Iterable<HeldRow>,
    searching: readonly Searching[],
    private readonly placesOf: (key: UniqueKey) => readonly number[],
    private readonly maxSteps: number,
  ) {
    for (const each of searching) {
      const seekers = this.keys.get(each.key) ?? new Seekers(this.placesOf(each.key));
      this.keys.set(each.key, seekers);
      seekers.add(each);
      this.found.set(each, new Set());
    }
  }

  /** Returns false when it gave up: then some rows may be missing. */
  *run(): Steps<boolean> {
    for (const row of this.rows) {
      this.showAll(row);
      yield;
    }
    for (let next = this.waiting.pop(); next !== undefined && this.steps <= this.maxSteps; next = this.waiting.pop()) {
      this.touch(next.searching, next.row);
      yield;
    }
    return this.steps <= this.maxSteps;
  }

  rowsOf(searching: Searching): ReadonlySet<HeldRow> {
    return this.found.get(searching)!;
  }

  private touch(searching: Searching, row: HeldRow): void {
    const found = this.found.get(searching)!;
    if (found.has(row)) return;
    found.add(row);
    for (const { place, value } of searching.writes) {
      if (addHeld(row, place, value)) this.show(row, place, value);
    }
  }

  private showAll(row: HeldRow): void {
    for (const seekers of this.keys.values()) {
      this.showValues(row, seekers, combinations(seekers.places.map((at) => heldAt(row, at))));
    }
  }

  /** The row now may hold the value. */
  private show(row: HeldRow, place: number, value: Value): void {
    for (const seekers of this.keys.values()) {
      if (!seekers.places.includes(place)) continue;
      const [, another] = seekers.places;
      const values = another === undefined ? [value] : combinations(seekers.places.map((at) => heldAt(row, at)));
      this.showValues(row, seekers, values);
    }
  }

  private showValues(row: HeldRow, seekers: Seekers, values: readonly Value[]): void {
    for (const value of values) {
      if (value.state === 'unknown' && !seekers.isNewToAll(row)) continue;
      for (const searching of seekers.of(value)) {
        this.steps += 1;
        if (this.steps > this.maxSteps) return;
        this.waiting.push({ searching, row });
      }
    }
  }
}

/** The operations that search by one key. */
class Seekers {
  private readonly all: Searching[] = [];
  private readonly known = new Map<string, Searching[]>();
  private readonly mayBeGenerated: Searching[] = [];
  private readonly shownToAll = new Set<HeldRow>();

  constructor(readonly places: readonly number[]) {}

  add(searching: Searching): void {
    const { sought } = searching;
    if (sought.state !== 'known') return;
    this.all.push(searching);
    if (sought.mayBeGenerated) this.mayBeGenerated.push(searching);
    const same = this.known.get(sought.text);
    if (same === undefined) this.known.set(sought.text, [searching]);
    else same.push(searching);
  }

  /** True once for each row. Otherwise each further unknown value of the row would be shown to all seekers again. */
  isNewToAll(row: HeldRow): boolean {
    const { size } = this.shownToAll;
    return this.shownToAll.add(row).size > size;
  }

  /** The operations that find a row which holds the value. */
  of(value: Value): readonly Searching[] {
    switch (value.state) {
      case 'known':
        return this.known.get(value.text) ?? [];
      case 'unknown':
        return this.all;
      case 'generated':
        return this.mayBeGenerated;
      case 'null':
        return [];
      default:
        return value satisfies never;
    }
  }
}
