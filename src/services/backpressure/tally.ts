/** Counts operations by party. */
export class Tally {
  private readonly counts = new Map<number, number>();
  private sum = 0;

  get total(): number {
    return this.sum;
  }

  of(party: number): number {
    return this.counts.get(party) ?? 0;
  }

  add(party: number, operations: number): void {
    if (operations === 0) return;
    this.sum += operations;
    const count = this.of(party) + operations;
    if (count === 0) this.counts.delete(party);
    else this.counts.set(party, count);
  }
}
