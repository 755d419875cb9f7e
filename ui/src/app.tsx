import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import { getAccess } from './api/endpoints.js';
import { reachable } from './api/request.js';
import { KeyPrompt } from './components/key-prompt.js';
import { Notices } from './components/notices.js';
import { NAVIGATION, pageOf } from './routes.js';
import { followStats, live } from './state/live-stats.js';
import { pageAddress, path } from './state/location.js';
import { useComebacks, useResource } from './state/resource.js';
import { access, apiKey, keyProblem, setKey } from './state/session.js';

export function App(): JSX.Element {
  useComebacks();
  useEffect(() => {
    const stop = new AbortController();
    void followStats(stop.signal);
    return () => stop.abort();
  }, [apiKey.value]);
  const own = useResource(`access ${apiKey.value ?? ''}`, getAccess);
  useEffect(() => {
    if (own.data !== undefined) access.value = own.data;
  }, [own.data]);

  return (
    <>
      <a class="skip-link" href="#content">
        Skip to the content
      </a>
      <Header />
      <div class="content">
        {!reachable.value && (
          <div class="note warn" role="alert">
            <p>
              <strong>The service does not answer.</strong> What you see is what it told last. It is asked again until
              it is back.
            </p>
          </div>
        )}
        {keyProblem.value === undefined ? pageOf(path.value) : <KeyPrompt />}
      </div>
      <Notices />
    </>
  );
}

function Header(): JSX.Element {
  const open = useSignal(false);
  const here = path.value;
  useEffect(() => {
    open.value = false;
  }, [here]);
  return (
    <header class="top">
      <a class="brand" href={pageAddress('/')}>
        <span class="brand-mark" aria-hidden="true" />
        Batch Service
      </a>
      <button
        type="button"
        class="button menu-button"
        aria-expanded={open.value}
        aria-controls="navigation"
        onClick={() => (open.value = !open.value)}
      >
        Menu
      </button>
      <nav id="navigation" class={open.value ? 'open' : ''} aria-label="Pages">
        <ul>
          {NAVIGATION.map(({ page, name }) => (
            <li key={page}>
              <a href={pageAddress(page)} aria-current={isWithin(here, page) ? 'page' : undefined}>
                {name}
              </a>
            </li>
          ))}
        </ul>
        <div class="nav-foot">
          <Connection />
          <Access />
          <a href="/api/docs">API documentation</a>
        </div>
      </nav>
    </header>
  );
}

function isWithin(here: string, page: string): boolean {
  if (page === '/jobs' && here.startsWith('/executions/')) return true;
  return page === '/' ? here === '/' : here === page || here.startsWith(`${page}/`);
}

function Connection(): JSX.Element {
  if (!reachable.value) return <span class="connection bad">No answer</span>;
  const text = { stream: 'Live', polling: 'Every few seconds', off: 'Connecting' }[live.value];
  return <span class={`connection ${live.value === 'off' ? '' : 'good'}`}>{text}</span>;
}

function Access(): JSX.Element | null {
  if (access.value === undefined) return null;
  if (!access.value.keyRequired) return <span class="muted">No key needed</span>;
  return (
    <span class="muted">
      Key: {access.value.scopes.join(', ')}{' '}
      <button type="button" class="link-button" onClick={() => setKey(undefined)}>
        Forget it
      </button>
    </span>
  );
}
