import type { JSX } from 'preact';
import type { IBatchOperation } from '../../../src/interfaces/operation.js';
import { cancelOperation, retryOperation } from '../api/endpoints.js';
import { Action } from './actions.js';

/** What can be done to an operation in its status. */
export function OperationActions({
  operation: { id, status, erased },
  primary = false,
}: {
  operation: IBatchOperation;
  /** Whether a retry is the main action of the page. */
  primary?: boolean;
}): JSX.Element {
  const waits = status === 'pending' || status === 'scheduled';
  return (
    <>
      {(status === 'failed' || status === 'cancelled') && (
        <Action
          label="Retry"
          scope="write"
          primary={primary}
          done="The operation is pending again."
          work={() => retryOperation(id)}
          {...(erased === true && { refused: 'Its values were erased' })}
        />
      )}
      {waits && (
        <Action
          label="Cancel"
          scope="write"
          danger
          done="The operation is cancelled."
          work={() => cancelOperation(id)}
          confirm={<p>It is not executed. It can be retried later.</p>}
        />
      )}
    </>
  );
}
