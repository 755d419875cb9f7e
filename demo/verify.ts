import type { IBatchOperation } from '../src/client/index.js';
import type { Answer } from './hand-over.js';
import type { RowOutcome } from './row-by-row.js';
import type { Verdict } from './settled-listener.js';
import type { WorkItem } from './work-item.js';

/** Everything known about one operation of the demo. */
export interface Story {
  item: WorkItem;
  answer: Answer;
  /** The outcome in its notification. */
  notified?: Verdict;
  /** The service's answer to a query. */
  operation?: IBatchOperation;
  /** The outcome when it was executed alone. Undefined if it was refused. */
  alone?: RowOutcome;
}

/** Everything that is wrong with an operation, one sentence each. Pure. */
export function differencesOf({ item, answer, notified, operation, alone }: Story): string[] {
  const { expected } = item;
  if ('refused' in answer) {
    if (expected.status === 'refused' && expected.code === answer.refused) return [];
    return [`refused with ${answer.refused}, but expected ${shown(expected)}: ${answer.message}`];
  }
  if (expected.status === 'refused') return [`accepted, but expected ${shown(expected)}`];
  const differences: string[] = [];
  const claim = (holds: boolean, otherwise: string): void => void (holds || differences.push(otherwise));

  claim(notified !== undefined, 'no notification of it came');
  claim(operation !== undefined, 'unknown to the service');
  claim(alone !== undefined, 'never executed row by row');
  if (notified)
    claim(shown(notified) === shown(expected), `its notification says ${shown(notified)}, expected ${shown(expected)}`);
  if (operation && alone) {
    const [batched, single] = [outcomeOf(operation), JSON.stringify(outcomeAlone(alone))];
    claim(JSON.stringify(batched) === single, `is ${JSON.stringify(batched)}, but row by row ${single}`);
  }
  if (operation && notified) {
    const stored =
      operation.error === undefined ? operation.status : `${operation.status} with ${operation.error.code}`;
    claim(stored === shown(notified), `its notification says ${shown(notified)}, but stored ${stored}`);
  }
  return differences;
}

/** How an operation is named in a message. */
export function nameOf({ item: { request }, answer }: Story): string {
  const { operationType, target, key, values } = request;
  const id = 'accepted' in answer ? ` (${answer.accepted})` : '';
  return `${operationType} ${target} ${JSON.stringify({ ...key, ...values })}${id}`;
}

function shown(verdict: { status: string } | { status: string; code: string }): string {
  return 'code' in verdict ? `${verdict.status} with ${verdict.code}` : verdict.status;
}

function outcomeOf({ status, rowsAffected, error }: IBatchOperation): RowOutcome {
  return outcomeAlone({
    ok: status === 'completed',
    rowsAffected: rowsAffected ?? 0,
    sqlState: error?.sqlState,
    constraint: error?.constraint,
    column: error?.column,
  });
}

/** With its fields in one order, so that equal outcomes have the same text. */
function outcomeAlone({ ok, rowsAffected, sqlState, constraint, column }: RowOutcome): RowOutcome {
  return { ok, rowsAffected, sqlState, constraint, column };
}
