import fc from 'fast-check';
import { ExactJson, type GivenValue } from '../../src/services/values/exact-json.js';
import type { TestOperation } from '../support/serial-oracle.js';
import type { Length, Profile } from './profile.js';
import { habitsOf, startRowOf, type Habit, type StartRow, type TargetShape } from './shape.js';

/** What is executed twice. */
export interface TruthCase {
  start: readonly StartRow[];
  operations: readonly TestOperation[];
  /** False: the planner has to do without having read anything. */
  informed: boolean;
  /** The subtransactions after which a chunk ends early. Absent: it never does. */
  blocks?: number;
}

const DEFAULT_LENGTH: Length = { min: 2, max: 40 };
/** Tables are nearly empty, or so full that most operations meet a row. */
const START_ROWS = { few: { maxLength: 6 }, many: { minLength: 8, maxLength: 20 } };
const FEW_HABITS = { least: 2, most: 4 };
/** One case in so many is planned without readSet. */
const BLIND_EVERY = 6;

/** One case in so many is executed in chunks that end early. */
const SHORT_EVERY = 4;
const FEW_BLOCKS = 3;

/** The cases of a profile. */
export function casesOf(profile: Profile, given?: Length): fc.Arbitrary<TruthCase> {
  const { shapes, parts } = profile;
  const length = given ?? profile.length ?? DEFAULT_LENGTH;
  if (parts === undefined) return caseOn(shapes, length);
  return fc.subarray([...parts.keys()], { minLength: 2, maxLength: 3 }).chain((chosen) =>
    caseOn(
      chosen.flatMap((index) => parts[index]!),
      length,
    ),
  );
}

/**
 * Half of the cases know a few kinds of operations only ("swarm testing"): their operations share statements more often, and
 * the effect of one kind is not always undone by another.
 */
function caseOn(shapes: readonly TargetShape[], length: Length): fc.Arbitrary<TruthCase> {
  const habits = shapes.flatMap(habitsOf);
  const all = sequence(shapes, habits, length);
  if (habits.length <= FEW_HABITS.least) return all;
  const few = fc
    .subarray([...habits.keys()], {
      minLength: FEW_HABITS.least,
      maxLength: Math.min(FEW_HABITS.most, habits.length),
    })
    .chain((chosen) =>
      sequence(
        shapes,
        chosen.map((index) => habits[index]!),
        length,
      ),
    );
  return fc.oneof(all, few);
}

function sequence(
  shapes: readonly TargetShape[],
  habits: readonly Habit[],
  { min, max }: Length,
): fc.Arbitrary<TruthCase> {
  const row = fc.oneof(...shapes.map(startRowOf));
  const order = new Map(shapes.map(({ target }, index) => [target, index]));
  return fc.record({
    start: fc
      .oneof(fc.array(row, START_ROWS.few), fc.array(row, START_ROWS.many))
      .map((rows) => rows.toSorted((a, b) => order.get(a.target)! - order.get(b.target)!)),
    operations: fc.array(fc.oneof(...habits), { minLength: min, maxLength: max }),
    informed: fc.nat({ max: BLIND_EVERY - 1 }).map((number) => number !== 1),
    blocks: fc.nat({ max: SHORT_EVERY - 1 }).map((number) => (number === 1 ? FEW_BLOCKS : undefined)),
  });
}

export function setUpOf(start: readonly StartRow[]): string {
  if (start.length === 0) return '';
  return `select try_all(array[${start.map((row) => literal(insertOf(row))).join(', ')}])`;
}

export function insertOf({ target, values }: StartRow): string {
  const names = Object.keys(values);
  return `insert into ${target} (${names.join(', ')}) overriding system value values (${names.map((name) => literal(values[name]!)).join(', ')})`;
}

function literal(value: GivenValue): string {
  if (value === null) return 'null';
  const text =
    value instanceof ExactJson ? value.text : typeof value === 'object' ? JSON.stringify(value) : String(value);
  return `'${text.replaceAll("'", "''")}'`;
}
