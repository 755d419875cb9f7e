/**
 * The rules of the planner: each says which pairs of operations may not change places or share a statement, or when several
 * operations may become one. `docs/serial-truth.md` explains them. A plan made without one of them is wrong for some operations,
 * which is how the tests show that each is needed and tested (`npm run truth:mutants`).
 */
export const RULES = {
  'same row': 'operations on one row keep their order',
  'unique value': 'who takes a unique value comes after whoever took it before',
  'freed value': 'who takes a unique value comes after whoever may have freed it, who frees it after whoever wanted it',
  'missing parent':
    'who refers to a row comes after whoever made or removed it, who makes or removes it after whoever referred',
  'released parent':
    'who removes a row comes after whoever gave up referring to it, who gives it up after whoever tried',
  'drawn value': 'an explicit value comes after, or before, those drawn from a sequence that may give the same',
  'sequence order': 'values of a sequence are drawn in the order of the operations',
  cascade: 'a delete that reaches rows of other tables keeps its place among the operations on these tables',
  barrier: 'what only the database can tell is executed alone, with everything before it and everything after it',
  'old values': 'what a row held before, as read under lock, and every value that the chunk gives it, may be freed',
  'planning limit':
    'an operation that may touch more rows than are followed may touch any, a row that may hold too many values may hold any',
  equality: 'values are equal when PostgreSQL holds them equal, however they are written',
  'fold: free columns': 'only columns without constraints, indexes and dependants are folded',
  'fold: same sign': 'increments are folded when every state in between lies between the first and the last',
  'fold: exact types': 'increments are folded for types whose sums are exact',
  'fold: valid values': 'a value that is written over is folded away only when it is known to be legal',
} as const;

export type Rule = keyof typeof RULES;
