/**
 * The rules of the planner. Each says which pairs of operations must keep their order or must not share a statement, or
 * when several operations may become one. `docs/serial-truth.md` explains them. Without any one of them, a plan is
 * wrong for some operations: `npm run truth:mutants` shows it.
 */
export const RULES = {
  'same row': 'operations on one row keep their order',
  'unique value': 'an operation that takes a unique value comes after earlier operations that took it',
  'freed value':
    'an operation that takes a unique value comes after those that may have freed it; one that frees it comes after those that wanted it',
  'missing parent':
    'an operation that refers to a row comes after those that created or removed it; one that creates or removes it comes after those that referred to it',
  'released parent':
    'an operation that removes a row comes after those that gave up referring to it; one that gives it up comes after those that tried to remove it',
  'drawn value': 'an explicit value keeps its order with the values of a sequence that may give the same value',
  'sequence order': 'values of a sequence are drawn in the order of the operations',
  cascade: 'a delete that reaches rows of other tables keeps its place among the operations on those tables',
  barrier:
    'where only the database can tell what an operation touches, or where it gives its row another main key, it is executed alone, after all earlier and before all later operations',
  'old values':
    'an operation may free what its row held before the chunk, as read under lock, and every value that the chunk gives the row',
  'planning limit':
    'an operation that may touch more rows than are followed counts as touching any row; a row that may hold too many values counts as holding any value',
  equality: 'values are equal when PostgreSQL treats them as equal, even if they are written differently',
  'fold: unconstrained columns': 'only columns without constraints, indexes and dependent objects are folded',
  'fold: same sign': 'increments are folded when every intermediate value lies between the first and the last one',
  'fold: exact types': 'increments are folded for types whose sums are exact',
  'fold: valid values': 'an overwritten value is folded away only when it is known to be legal',
} as const;

export type Rule = keyof typeof RULES;
