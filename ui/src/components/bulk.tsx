import type { BulkActionKind, IBulkActionCount } from '../../../src/interfaces/bulk-action.js';
import type { IOperationFilter } from '../../../src/interfaces/operation-filter.js';
import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { dryRun, startBulkAction } from '../api/endpoints.js';
import { notify } from '../state/act.js';
import { goTo, pageAddress } from '../state/location.js';
import { whyRefused } from '../state/session.js';
import { Dialog, ScopedButton } from './actions.js';
import { Loading, Problem } from './basics.js';
import { count, plural } from './format.js';

const VERBS = { retry: 'Retry', cancel: 'Cancel', erase: 'Erase' } as const;
const EFFECTS = {
  retry:
    'Each becomes pending again, at its old place in the order. Only failed and cancelled operations can be retried; others are skipped.',
  cancel:
    'Only pending and scheduled operations can be cancelled; others are skipped. Cancelled operations can be retried later.',
  erase: 'Their keys and values are gone for good. What became of them stays. They cannot be retried.',
} as const;

/** Does one thing to all operations of a filter: counts them, asks, begins, and leads to the progress. */
export function BulkButton({
  action,
  filter,
  label,
  refused,
  primary = false,
}: {
  action: BulkActionKind;
  filter: IOperationFilter;
  label: string;
  refused?: string;
  primary?: boolean;
}): JSX.Element {
  const open = useSignal(false);
  const counted = useSignal<IBulkActionCount | Error | undefined>(undefined);
  const begin = async (): Promise<void> => {
    open.value = true;
    counted.value = undefined;
    try {
      counted.value = await dryRun(action, filter);
    } catch (error) {
      counted.value = error as Error;
    }
  };
  return (
    <>
      <ScopedButton
        why={whyRefused(action === 'erase' ? 'admin' : 'write') ?? refused}
        danger={action !== 'retry'}
        primary={primary}
        onClick={() => void begin()}
      >
        {label}
      </ScopedButton>
      {open.value && (
        <Dialog title={label} onClose={() => (open.value = false)}>
          <Question action={action} filter={filter} counted={counted.value} onClose={() => (open.value = false)} />
        </Dialog>
      )}
    </>
  );
}

function Question({
  action,
  filter,
  counted,
  onClose,
}: {
  action: BulkActionKind;
  filter: IOperationFilter;
  counted: IBulkActionCount | Error | undefined;
  onClose: () => void;
}): JSX.Element {
  const busy = useSignal(false);
  const failed = useSignal<Error | undefined>(undefined);
  /** More may match meanwhile. Then the service refuses, and the count is asked for again. */
  const run = async (expected: number | undefined): Promise<void> => {
    busy.value = true;
    try {
      const { id } = await startBulkAction(action, filter, expected);
      onClose();
      notify('done', `${VERBS[action]} has begun.`);
      goTo(pageAddress(`/bulk-actions/${id}`));
    } catch (error) {
      failed.value = error as Error;
      busy.value = false;
    }
  };
  if (counted === undefined) return <Loading />;
  if (counted instanceof Error) return <Problem error={counted} />;
  const { matched, exact } = counted;
  return (
    <>
      <FilterText filter={filter} />
      <p role="status">
        <strong>
          {exact ? '' : 'At least '}
          {plural(matched, 'operation matches', 'operations match')}.
        </strong>{' '}
        {EFFECTS[action]}
      </p>
      {failed.value !== undefined && <Problem error={failed.value} />}
      <div class="dialog-actions">
        <button type="button" class="button" onClick={onClose}>
          Keep them as they are
        </button>
        <button
          type="button"
          class={`button ${action === 'retry' ? 'primary' : 'danger'}`}
          disabled={busy.value || matched === 0}
          onClick={() => void run(exact ? matched : undefined)}
        >
          {VERBS[action]} {count(matched)}
        </button>
      </div>
    </>
  );
}

export function FilterText({ filter }: { filter: IOperationFilter }): JSX.Element {
  const entries = Object.entries(filter).filter(([, value]) => value !== undefined && value !== '');
  return (
    <p class="small">
      {entries.map(([name, value], index) => (
        <span key={name}>
          {index > 0 && ', '}
          {name} <code>{Array.isArray(value) ? plural(value.length, 'id') : String(value)}</code>
        </span>
      ))}
    </p>
  );
}
