import type { IPause } from '../../../src/interfaces/pause.js';
import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { pause } from '../api/endpoints.js';
import { notify } from '../state/act.js';
import { reloadAll } from '../state/resource.js';
import { whyRefused } from '../state/session.js';
import { Dialog, ScopedButton } from './actions.js';
import { Problem } from './basics.js';

/** Pauses or drains a table, a source or a lane. */
export function PauseForm(): JSX.Element {
  const open = useSignal(false);
  const kind = useSignal<IPause['kind']>('target');
  const failed = useSignal<Error | undefined>(undefined);
  const close = (): void => {
    open.value = false;
    failed.value = undefined;
  };
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const values = new FormData(event.currentTarget as HTMLFormElement);
    const text = (name: string): string => (values.get(name) as string).trim();
    const name = text('name');
    const drain = text('how') === 'drain';
    try {
      await pause(kind.value, name, text('reason'), drain);
      close();
      notify('done', `${kind.value} ${name} is ${drain ? 'drained' : 'paused'}.`);
      reloadAll();
    } catch (error) {
      failed.value = error as Error;
    }
  };
  return (
    <>
      <ScopedButton why={whyRefused('admin')} onClick={() => (open.value = true)}>
        Pause or drain…
      </ScopedButton>
      {open.value && (
        <Dialog title="Pause or drain" onClose={close}>
          <form class="parameters" onSubmit={submit}>
            <label>
              What
              <select
                value={kind.value}
                onChange={(event) => (kind.value = event.currentTarget.value as IPause['kind'])}
              >
                <option value="target">a table</option>
                <option value="source">a source</option>
                <option value="lane">a lane</option>
              </select>
            </label>
            <label>
              Its name
              <input
                type="text"
                name="name"
                required
                autocomplete="off"
                placeholder={{ target: 'orders', source: 'shop', lane: '0 to 63' }[kind.value]}
              />
            </label>
            <label>
              How
              <select name="how">
                <option value="pause">pause: accept, and execute nothing</option>
                <option value="drain">drain: refuse what is new, and execute what waits</option>
              </select>
            </label>
            <label>
              Reason, for those who look at it later
              <input type="text" name="reason" autocomplete="off" />
            </label>
            {failed.value !== undefined && <Problem error={failed.value} />}
            <div class="dialog-actions">
              <button type="button" class="button" onClick={close}>
                Keep it as it is
              </button>
              <button type="submit" class="button primary">
                Do it
              </button>
            </div>
          </form>
        </Dialog>
      )}
    </>
  );
}
