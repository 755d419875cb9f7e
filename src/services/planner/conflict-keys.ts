import type { Rule } from './rules.js';
import type { Value } from './value.js';

/**
 * Something that several operations may touch: a row, a value, a table. An operation must come after every earlier
 * operation that writes a key on which it depends. Two operations whose order matters always share such a key, so they
 * never share a statement.
 */
export class ConflictKey {
  /** The group of the latest operation that writes it. -1 before the first one. */
  group = -1;
  operation = -1;
}

/** What a conflict key is about, in words. */
export interface Subject {
  table: string;
  columns: readonly string[];
}

/** What decided the place of an operation. */
export interface Reason {
  rule: Rule;
  subject: Subject;
  /** Index of the earlier operation. */
  operation: number;
}

/** The conflict keys of one operation, and the first group that they allow for it. */
export class OperationConflicts {
  /** The first group after all conflicts. */
  lowest = 0;
  /** The same without the conflict on its own row, because a fold joins the earlier operation on that row. */
  lowestBesideRow = 0;
  reason: Reason | undefined;
  /** The conflict key of its row, if the operation names exactly one row. Only then it may be folded. */
  row: ConflictKey | undefined;
  private readonly written: ConflictKey[] = [];

  /** The operation has to come after the latest operation that writes the key. */
  dependsOn(key: ConflictKey, rule: Rule, subject: Subject): void {
    const lowest = key.group + 1;
    if (lowest <= this.lowestBesideRow) return;
    this.lowestBesideRow = lowest;
    this.raise(lowest, key, rule, subject);
  }

  dependsOnRow(key: ConflictKey, rule: Rule, subject: Subject): void {
    if (key.group >= this.lowest) this.raise(key.group + 1, key, rule, subject);
  }

  /**
   * The operation may share a statement with the latest operation that writes the key, but must not come before it.
   */
  notBefore(key: ConflictKey, rule: Rule, subject: Subject): void {
    if (key.group <= this.lowestBesideRow) return;
    this.lowestBesideRow = key.group;
    this.raise(key.group, key, rule, subject);
  }

  writes(key: ConflictKey): void {
    this.written.push(key);
  }

  /** Records the group into which the operation was put. */
  placeAt(group: number, operation: number): void {
    for (const key of this.written) {
      if (key.group > group) continue;
      key.group = group;
      key.operation = operation;
    }
  }

  private raise(lowest: number, { operation }: ConflictKey, rule: Rule, subject: Subject): void {
    if (lowest <= this.lowest) return;
    this.lowest = lowest;
    this.reason = { rule, subject, operation };
  }
}

/** Orders all operations on one table, or on the tables of one group. */
export class Barrier {
  private readonly any = new ConflictKey();
  private readonly closed = new ConflictKey();
  private readonly subject: Subject;

  constructor(
    words: string,
    private readonly rule: Rule = 'barrier',
  ) {
    this.subject = { table: words, columns: [] };
  }

  pass(conflicts: OperationConflicts): void {
    conflicts.dependsOn(this.closed, this.rule, this.subject);
    conflicts.writes(this.any);
  }

  /** The operation comes after all earlier operations and before all later ones. */
  close(conflicts: OperationConflicts): void {
    conflicts.dependsOn(this.any, this.rule, this.subject);
    conflicts.writes(this.closed);
  }
}

/**
 * The values of some columns as conflict keys. If one operation writes a value, and another one depends on a value that
 * is equal or may be equal, both find the same key.
 */
export class ConflictKeySpace {
  private readonly values = new Map<string, ConflictKey>();
  private readonly any = new ConflictKey();
  private readonly unknown = new ConflictKey();
  /** Values that sequences give, and known values that they may still give. */
  private readonly drawn = new ConflictKey();
  private readonly mayBeGenerated = new ConflictKey();

  constructor(private readonly subject: Subject) {}

  dependsOn(conflicts: OperationConflicts, value: Value, rule: Rule): void {
    switch (value.state) {
      case 'known':
        conflicts.dependsOn(this.keyOf(value.text), rule, this.subject);
        if (value.mayBeGenerated) conflicts.dependsOn(this.drawn, 'drawn value', this.subject);
        conflicts.dependsOn(this.unknown, rule, this.subject);
        break;
      case 'generated':
        conflicts.dependsOn(this.mayBeGenerated, 'drawn value', this.subject);
        conflicts.dependsOn(this.unknown, rule, this.subject);
        break;
      case 'unknown':
        conflicts.dependsOn(this.any, rule, this.subject);
        break;
      // NULL is equal to nothing.
      case 'null':
        break;
      default:
        value satisfies never;
    }
  }

  writes(conflicts: OperationConflicts, value: Value): void {
    if (value.state === 'null') return;
    conflicts.writes(this.any);
    if (value.state === 'known') {
      conflicts.writes(this.keyOf(value.text));
      if (value.mayBeGenerated) conflicts.writes(this.mayBeGenerated);
    } else {
      conflicts.writes(value.state === 'generated' ? this.drawn : this.unknown);
    }
  }

  /** For an operation that names exactly one row, so that it may be folded. */
  useRow(conflicts: OperationConflicts, text: string, mayBeGenerated: boolean): void {
    const key = this.keyOf(text);
    conflicts.row = key;
    conflicts.dependsOnRow(key, 'same row', this.subject);
    if (mayBeGenerated) conflicts.dependsOn(this.drawn, 'drawn value', this.subject);
    conflicts.dependsOn(this.unknown, 'same row', this.subject);
    this.writes(conflicts, { state: 'known', text, mayBeGenerated });
  }

  private keyOf(text: string): ConflictKey {
    const known = this.values.get(text);
    if (known !== undefined) return known;
    const key = new ConflictKey();
    this.values.set(text, key);
    return key;
  }
}
