import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { apiKey, keyProblem, setKey } from '../state/session.js';
import { reloadAll } from '../state/resource.js';
import { Page } from './basics.js';

/** Asks for an API key. It is kept until this tab is closed, and sent in a header. */
export function KeyPrompt(): JSX.Element {
  const text = useSignal('');
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const key = text.value.trim();
    if (key === '') return;
    setKey(key);
    reloadAll();
  };
  const problem = keyProblem.value;
  return (
    <Page title="API key">
      <form class="key-prompt" onSubmit={submit}>
        <p>
          This service asks for an API key. A key of scope <code>read</code> shows everything here. To retry or cancel
          operations it needs <code>write</code>, to resume lanes or start jobs <code>admin</code>.
        </p>
        {problem !== undefined && problem !== '' && (
          <p class="note bad" role="alert">
            {problem}
          </p>
        )}
        <label>
          API key
          <input
            type="password"
            autocomplete="off"
            spellcheck={false}
            placeholder="bsk_…"
            value={text.value}
            onInput={(event) => (text.value = event.currentTarget.value)}
          />
        </label>
        <div class="actions">
          <button type="submit" class="button primary">
            Use this key
          </button>
          {apiKey.value !== undefined && (
            <button type="button" class="button" onClick={() => setKey(undefined)}>
              Forget the key
            </button>
          )}
        </div>
        <p class="small muted">
          It stays in this tab until you close it. To make one:{' '}
          <code>npm run keys -- create --name me --scope read</code>
        </p>
      </form>
    </Page>
  );
}
