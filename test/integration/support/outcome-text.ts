import type { LeftOutcome, Outcome } from '../../../src/services/queue/operation-record.js';

/** What two executions of the same operation have to agree on. */
export function outcomeText(outcome: Outcome | LeftOutcome): string {
  if (outcome.status === 'left') return 'left';
  if (outcome.status === 'completed') return `ok ${outcome.rowsAffected}`;
  const { code, sqlState, constraint, column } = outcome.error;
  return [code, sqlState, constraint, column].filter((part) => part !== undefined).join(' ');
}
