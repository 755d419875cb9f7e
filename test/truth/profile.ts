import type { Rule } from '../../src/services/planner/rules.js';
import type { PlanLimits } from '../support/altered-planner.js';
import type { TargetShape } from './shape.js';

/** Of sequences, in operations. */
export interface Length {
  min: number;
  max: number;
}

/** A kind of sequences that a few rules decide about. Uniform sequences over everything hardly ever show a missing rule. */
export interface Profile {
  /** As the command line names it. */
  name: string;
  /** What it is made for: without any one of them, some of its sequences have to go wrong. */
  rules: readonly Rule[];
  ddl: string;
  /** In the order in which rows can be made: parents first. */
  shapes: readonly TargetShape[];
  /** Shapes of which a sequence takes two or three lists; absent where it takes all. */
  parts?: readonly (readonly TargetShape[])[];
  length?: Length;
  /** What sequences give first; by default above the values that operations give. */
  firstSequenceValue?: number;
  /**
   * True where operations name values that a sequence gives. PostgreSQL takes no value of a sequence back, so what is executed
   * again after a failure draws others: then the two runs are not comparable, and such a case is passed over.
   */
  draws?: boolean;
  /** What the planner follows at most; by default what it follows in the service. */
  limits?: Partial<PlanLimits>;
  expected?: Partial<Expectation>;
}

/** A test of operations that are never grouped, all fail or all succeed would show nothing. */
export interface Expectation {
  /** Operations per group, at least. */
  perGroup: number;
  /** Share of operations that fail. */
  failed: { least: number; most: number };
  /** Share of operations that change a row, at least. */
  changing: number;
  /** Share of operations that are folded into another, at least. */
  folded: number;
  /** Share of the cases that are passed over, at most. */
  passedOver: number;
}

const EXPECTED: Expectation = {
  perGroup: 1.2,
  failed: { least: 0.02, most: 0.7 },
  changing: 0.1,
  folded: 0,
  passedOver: 0.5,
};

export const expectationOf = ({ expected }: Profile): Expectation => ({ ...EXPECTED, ...expected });

/** For targets that defy planning: their operations have to run one by one. */
export const NEVER_GROUPED: Pick<Expectation, 'perGroup'> = { perGroup: 1 };

/** Each sequence is about a few of them, so that its operations still meet. Names of tables are unique among profiles. */
export function mixed(
  name: string,
  profiles: readonly Profile[],
  rest: Pick<Profile, 'length' | 'expected'> = {},
): Profile {
  const comparable = profiles.filter(({ draws }) => draws !== true);
  return {
    name,
    rules: [],
    ddl: comparable.map(({ ddl }) => ddl).join('\n'),
    shapes: comparable.flatMap(({ shapes }) => shapes),
    parts: comparable.map(({ shapes }) => shapes),
    ...rest,
  };
}
