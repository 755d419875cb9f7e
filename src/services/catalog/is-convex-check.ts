/** These characters stand for parts that were recognised. No expression contains them. */
const COLUMN = '\uE000';
const CONSTANT = '\uE001';
const COMPARISON = '\uE002';

const WORD = /\b[a-z_][a-z0-9_]*\b/g;
const NUMBER = /(?<![\w.'])\d+(?:\.\d+)?(?![\w.'])/g;
const TEXT = /'[-\w.+]+'::(?:smallint|integer|bigint|numeric)/g;
/** Comparisons of different types and domains bring casts along. These casts keep the order of values. */
const CAST_COLUMN = /\(\uE000\)::(?:smallint|integer|bigint|numeric)(?!\()/g;
const CAST_CONSTANT = /\(\uE001\)::(?:smallint|integer|bigint|numeric)(?!\()/g;
const COMPARED = /\((?:\uE000 (?:<=|>=|<|>|=) \uE001|\uE001 (?:<=|>=|<|>|=) \uE000)\)/g;
const CONJUNCTION = /\(\uE002(?: AND \uE002)+\)/g;

/**
 * True for comparisons of a numeric column with constants, joined by AND: if two values pass, every value between them
 * passes too. False for anything else, also for other convex checks, and for checks that look at another column.
 *
 * @param expression as `pg_get_expr` writes it, which puts every comparison in parentheses: `((n >= 0) AND (n <= 5))`
 * @param column of type smallint, integer, bigint or numeric, or a domain over these
 */
export function isConvexCheck(expression: string, column: string): boolean {
  let before = markColumn(expression, column)
    .replace(TEXT, CONSTANT)
    .replace(NUMBER, CONSTANT)
    .replace(CAST_COLUMN, COLUMN)
    .replace(CAST_CONSTANT, CONSTANT)
    .replace(COMPARED, COMPARISON);
  let after = before.replace(CONJUNCTION, COMPARISON);
  while (after !== before) {
    before = after;
    after = before.replace(CONJUNCTION, COMPARISON);
  }
  return after === COMPARISON;
}

/** PostgreSQL quotes a name that is a keyword, or has other characters than small letters, digits and underscores. */
function markColumn(expression: string, column: string): string {
  const marked = expression.replaceAll(`"${column.replaceAll('"', '""')}"`, COLUMN);
  return marked.replace(WORD, (word) => (word === column ? COLUMN : word));
}
