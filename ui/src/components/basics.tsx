import { useSignal } from '@preact/signals';
import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { ProblemError } from '../api/request.js';
import { now } from '../state/clock.js';
import { isToldByShell, type Resource } from '../state/resource.js';
import { duration, exact, json, relative } from './format.js';

/** One page: its heading takes the focus, so that a screen reader tells where it is. */
export function Page({
  title,
  actions,
  lead,
  children,
}: {
  title: string;
  actions?: ComponentChildren;
  lead?: ComponentChildren;
  children: ComponentChildren;
}): JSX.Element {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${title} · Batch Service`;
  }, [title]);
  useEffect(() => {
    if (document.activeElement === document.body || document.activeElement?.closest('nav') === null)
      heading.current?.focus({ preventScroll: true });
  }, []);
  return (
    <main id="content">
      <header class="page-head">
        <h1 ref={heading} tabIndex={-1}>
          {title}
        </h1>
        {actions !== undefined && <div class="actions">{actions}</div>}
      </header>
      {lead !== undefined && <p class="lead">{lead}</p>}
      {children}
    </main>
  );
}

export function Section({
  title,
  aside,
  children,
}: {
  title: string;
  aside?: ComponentChildren;
  children: ComponentChildren;
}): JSX.Element {
  return (
    <section class="section">
      <header class="section-head">
        <h2>{title}</h2>
        {aside !== undefined && <div class="aside">{aside}</div>}
      </header>
      {children}
    </section>
  );
}

/** How long ago, or how long until then. The exact time is its title. */
export function Time({ at }: { at: string }): JSX.Element {
  return (
    <time dateTime={at} title={exact(at)}>
      {relative(Date.parse(at), now.value)}
    </time>
  );
}

/** How old something is, growing by itself. */
export function Age({ since }: { since: string }): JSX.Element {
  return (
    <time dateTime={since} title={exact(since)}>
      {duration(Math.max(0, now.value - Date.parse(since)))}
    </time>
  );
}

export type Tone = 'good' | 'busy' | 'wait' | 'warn' | 'bad' | 'quiet';

/** A state: a word, with a colour that helps to find it. */
export function Badge({
  tone,
  children,
  title,
}: {
  tone: Tone;
  children: ComponentChildren;
  title?: string;
}): JSX.Element {
  return (
    <span class={`badge ${tone}`} title={title}>
      {children}
    </span>
  );
}

/** A text that somebody needs elsewhere. */
export function Copy({
  text,
  label = 'Copy',
  shown,
}: {
  text: string;
  label?: string;
  shown?: ComponentChildren;
}): JSX.Element {
  const copied = useSignal(false);
  const copy = async (): Promise<void> => {
    await copyText(text);
    copied.value = true;
    window.setTimeout(() => (copied.value = false), 1500);
  };
  return (
    <button
      type="button"
      class={shown === undefined ? 'icon-button' : 'button'}
      title={label}
      aria-label={shown === undefined ? label : undefined}
      onClick={copy}
    >
      {copied.value ? (shown === undefined ? '✓' : 'Copied') : (shown ?? <CopyIcon />)}
      <span class="unseen" role="status">
        {copied.value ? 'Copied' : ''}
      </span>
    </button>
  );
}

/** The clipboard of the browser is for HTTPS and localhost only. */
async function copyText(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = document.createElement('textarea');
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand('copy');
    area.remove();
  }
}

function CopyIcon(): JSX.Element {
  return (
    <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">
      <path d="M5.5 5.5v-3h8v8h-3m-8-5h8v8h-8z" fill="none" stroke="currentColor" stroke-width="1.3" />
    </svg>
  );
}

/** An id: the whole of it where there is room, and a button that copies it. */
export function Id({ id, href }: { id: string; href?: string }): JSX.Element {
  const text = href === undefined ? <code>{id}</code> : <a href={href}>{<code>{id}</code>}</a>;
  return (
    <span class="id">
      {text}
      <Copy text={id} label={`Copy ${id}`} />
    </span>
  );
}

/** The beginning of a UUID of version 7 is its time, so its end is what tells ids apart. */
export function ShortId({ id, href }: { id: string; href: string }): JSX.Element {
  return (
    <span class="id">
      <a href={href} title={id}>
        <code>{id.length > 16 ? `…${id.slice(-12)}` : id}</code>
      </a>
      <Copy text={id} label={`Copy ${id}`} />
    </span>
  );
}

export interface Fact {
  name: string;
  value: ComponentChildren;
}

/** Names and values. Facts without a value are left out. */
export function Facts({ facts }: { facts: readonly (Fact | undefined | false)[] }): JSX.Element {
  return (
    <dl class="facts">
      {facts.map(
        (fact) =>
          fact !== undefined &&
          fact !== false && (
            <div key={fact.name}>
              <dt>{fact.name}</dt>
              <dd>{fact.value}</dd>
            </div>
          ),
      )}
    </dl>
  );
}

export function Json({ value, label }: { value: unknown; label: string }): JSX.Element {
  return (
    <pre class="code" tabIndex={0} role="region" aria-label={label}>
      {json(value, 2)}
    </pre>
  );
}

export function Code({ text, label }: { text: string; label: string }): JSX.Element {
  return (
    <pre class="code" tabIndex={0} role="region" aria-label={label}>
      {text}
    </pre>
  );
}

export function Empty({ title, children }: { title: string; children?: ComponentChildren }): JSX.Element {
  return (
    <div class="empty">
      <p class="empty-title">{title}</p>
      {children !== undefined && <p>{children}</p>}
    </div>
  );
}

export function Problem({ error, onRetry }: { error: Error; onRetry?: () => void }): JSX.Element {
  const problem = error instanceof ProblemError ? error : undefined;
  return (
    <div class="note bad" role="alert">
      <p>
        {problem !== undefined && <strong>{problem.title}. </strong>}
        {error.message}
      </p>
      {problem !== undefined && (
        <p class="small">
          <code>{problem.code}</code>
          {problem.requestId !== undefined && (
            <>
              {' · request '}
              <code>{problem.requestId}</code>
            </>
          )}
        </p>
      )}
      {onRetry !== undefined && (
        <button type="button" class="button" onClick={onRetry}>
          Try again
        </button>
      )}
    </div>
  );
}

/** What a resource holds, or why it holds nothing. An old answer stays while a new one fails. */
export function Loaded<T>({
  from,
  children,
}: {
  from: Resource<T>;
  children: (data: T) => ComponentChildren;
}): JSX.Element {
  const { data, error, reload } = from;
  return (
    <>
      {error !== undefined && !isToldByShell(error) && <Problem error={error} onRetry={reload} />}
      {data !== undefined ? children(data) : error === undefined && <Loading />}
    </>
  );
}

export function Loading(): JSX.Element {
  return (
    <p class="loading" role="status">
      Loading…
    </p>
  );
}

/** How far something is, from 0 to 1, with the same in words. */
export function Progress({ value, label, text }: { value: number; label: string; text?: string }): JSX.Element {
  const percent = `${Math.floor(value * 100)} %`;
  return (
    <span class="progress">
      <progress max={1} value={value} aria-label={label}>
        {percent}
      </progress>
      <span>{text ?? percent}</span>
    </span>
  );
}
