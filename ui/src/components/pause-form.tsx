import type { IPause } from '../../../src/interfaces/pause.js';
import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { pause } from '../api/endpoints.js';
import { act } from '../state/act.js';
import { whyRefused } from '../state/session.js';
import { Dialog, ScopedButton } from './actions.js';

/** Pauses or drains a table, a source or a lane. */
export function PauseForm(): JSX.Element {
  const open = useSignal(false);
  const kind = useSignal<IPause['kind']>('target');
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const values = new FormData(event.currentTarget as HTMLFormElement);
    const text = (name: string): string => (values.get(name) as string).trim();
    const name = text('name');
    const drain = text('how') === 'drain';
    const done = `${kind.value} ${name} is ${drain ? 'drained' : 'paused'}.`;
    if (await act(() => pause(kind.value, name, text('reason'), drain), done)) open.value = false;
  };
  return (
    <>
      <ScopedButton why={whyRefused('admin')} onClick={() => (open.value = true)}>
        Pause or drain…
      </ScopedButton>
      {open.value && (
        <Dialog title="Pause or drain" onClose={() => (open.value = false)}>
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
            <div class="dialog-actions">
              <button type="button" class="button" onClick={() => (open.value = false)}>
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
