import type { Rule } from './rules.js';
import type { Value } from './value.js';

/**
 * Something that several operations may touch: a row, a value, a table. An operation must come after every earlier
 * operation that marked a token which it needs. Two operations whose order matters always share such a token, so they
 * never share a statement.
 */
export class Token {
  /** The group of the latest operation that marked it. -1 before the first one. */
  group = -1;
  operation = -1;
}

/** What a token is about, in words. */
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

/** The tokens of one operation, and the first group that they allow for it. */
export class TokenList {
  /** The first group after all conflicts. */
  lowest = 0;
  /** The same, if the operation were the only one on its row. */
  lowestBesideRow = 0;
  reason: Reason | undefined;
  /** The token of the row that the operation names, if it names exactly one: the place where it may be folded. */
  row: Token | undefined;
  private readonly marked: Token[] = [];

  /** The operation has to come after the latest operation that marked the token. */
  need(token: Token, rule: Rule, subject: Subject): void {
    const lowest = token.group + 1;
    if (lowest <= this.lowestBesideRow) return;
    this.lowestBesideRow = lowest;
    this.raise(lowest, token, rule, subject);
  }

  needRow(token: Token, rule: Rule, subject: Subject): void {
    if (token.group >= this.lowest) this.raise(token.group + 1, token, rule, subject);
  }

  /**
   * The operation may share a statement with the latest operation that marked the token, but must not come before it.
   */
  notBefore(token: Token, rule: Rule, subject: Subject): void {
    if (token.group <= this.lowestBesideRow) return;
    this.lowestBesideRow = token.group;
    this.raise(token.group, token, rule, subject);
  }

  mark(token: Token): void {
    this.marked.push(token);
  }

  /** Records the place that the operation has got. */
  settle(group: number, operation: number): void {
    for (const token of this.marked) {
      if (token.group > group) continue;
      token.group = group;
      token.operation = operation;
    }
  }

  private raise(lowest: number, { operation }: Token, rule: Rule, subject: Subject): void {
    if (lowest <= this.lowest) return;
    this.lowest = lowest;
    this.reason = { rule, subject, operation };
  }
}

/** Everything on one table, or on the tables of one group. */
export class Barrier {
  private readonly any = new Token();
  private readonly closed = new Token();
  private readonly subject: Subject;

  constructor(
    words: string,
    private readonly rule: Rule = 'barrier',
  ) {
    this.subject = { table: words, columns: [] };
  }

  pass(found: TokenList): void {
    found.need(this.closed, this.rule, this.subject);
    found.mark(this.any);
  }

  /** The operation comes after all earlier operations and before all later ones. */
  close(found: TokenList): void {
    found.need(this.any, this.rule, this.subject);
    found.mark(this.closed);
  }
}

/**
 * The values of some columns as tokens. If one operation marks a value, another operation that needs an equal value, or
 * one that may be equal, finds the same token.
 */
export class Space {
  private readonly values = new Map<string, Token>();
  private readonly any = new Token();
  private readonly unknown = new Token();
  /** Values that sequences give, and known values that they may still give. */
  private readonly drawn = new Token();
  private readonly beyond = new Token();

  constructor(private readonly subject: Subject) {}

  need(found: TokenList, value: Value, rule: Rule): void {
    switch (value.state) {
      case 'known':
        found.need(this.token(value.text), rule, this.subject);
        if (value.beyond) found.need(this.drawn, 'drawn value', this.subject);
        found.need(this.unknown, rule, this.subject);
        break;
      case 'fresh':
        found.need(this.beyond, 'drawn value', this.subject);
        found.need(this.unknown, rule, this.subject);
        break;
      case 'unknown':
        found.need(this.any, rule, this.subject);
        break;
      // NULL is equal to nothing.
      case 'null':
        break;
      default:
        value satisfies never;
    }
  }

  mark(found: TokenList, value: Value): void {
    if (value.state === 'null') return;
    found.mark(this.any);
    if (value.state === 'known') {
      found.mark(this.token(value.text));
      if (value.beyond) found.mark(this.beyond);
    } else {
      found.mark(value.state === 'fresh' ? this.drawn : this.unknown);
    }
  }

  /** The only row of an operation, where it may be folded. */
  useRow(found: TokenList, text: string, beyond: boolean): void {
    const token = this.token(text);
    found.row = token;
    found.needRow(token, 'same row', this.subject);
    if (beyond) found.need(this.drawn, 'drawn value', this.subject);
    found.need(this.unknown, 'same row', this.subject);
    this.mark(found, { state: 'known', text, beyond });
  }

  private token(text: string): Token {
    const known = this.values.get(text);
    if (known !== undefined) return known;
    const token = new Token();
    this.values.set(text, token);
    return token;
  }
}
