/** What must not be found. */
export const VIOLATION_KINDS = [
  'lost',
  'parked',
  'doubled',
  'out of order',
  'unnotified',
  'wrong verdict',
  'refused',
  'unacknowledged',
  'crashed',
  'slow recovery',
] as const;
export type ViolationKind = (typeof VIOLATION_KINDS)[number];

export interface Violation {
  kind: ViolationKind;
  /** In a sentence, with the operation or the row. */
  what: string;
}
