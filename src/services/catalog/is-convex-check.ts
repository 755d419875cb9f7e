const TYPE = '(?:smallint|integer|bigint|numeric)';
const NUMBER = String.raw`\d+(?:\.\d+)?`;
const TEXT = String.raw`'[-\w.+]+'::${TYPE}`;
const CONSTANT = String.raw`(?:${NUMBER}|${TEXT}|\((?:${NUMBER}|${TEXT})\)::${TYPE})`;
const COMPARISON = '(?:<=|>=|<|>|=)';
const PLAIN_NAME = /^[a-z_][a-z0-9_]*$/;
const SPECIAL = /[\\^$.*+?()[\]{}|]/g;
/** Stands for a part that is understood; no expression holds it. */
const UNDERSTOOD = '\0';
const CONJUNCTION = new RegExp(`\\(${UNDERSTOOD}(?: AND ${UNDERSTOOD})+\\)`, 'gu');

/**
 * True for comparisons of a numeric column with constants, joined by AND: whatever lies between two values that pass
 * then passes as well. Anything else, be it convex or not, and what looks at any other column, is false.
 *
 * @param expression as `pg_get_expr` writes it, which puts every comparison in parentheses: `((n >= 0) AND (n <= 5))`
 * @param column of type smallint, integer, bigint or numeric, or a domain over these
 */
export function isConvexCheck(expression: string, column: string): boolean {
  let before = expression;
  let after = before.replace(comparisonOf(column), UNDERSTOOD);
  while (after !== before) {
    before = after;
    after = before.replace(CONJUNCTION, UNDERSTOOD);
  }
  return after === UNDERSTOOD;
}

/** A cast of the column, which comparisons of different types and domains bring along, keeps the order of values. */
function comparisonOf(column: string): RegExp {
  const quoted = `"${column.replaceAll('"', '""')}"`.replace(SPECIAL, String.raw`\$&`);
  const name = PLAIN_NAME.test(column) ? `(?:${column}|${quoted})` : quoted;
  const operand = String.raw`(?:${name}|\(${name}\)::${TYPE})`;
  return new RegExp(`\\((?:${operand} ${COMPARISON} ${CONSTANT}|${CONSTANT} ${COMPARISON} ${operand})\\)`, 'gu');
}
