import { useSignal } from '@preact/signals';
import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';
import type { KeyScope } from '../../../src/interfaces/access.js';
import { act } from '../state/act.js';
import { whyRefused } from '../state/session.js';

/** A modal question. The browser keeps the focus inside, and closes it with Escape. */
export function Dialog({
  title,
  onClose,
  children,
}: {
  title: string;
  onClose: () => void;
  children: ComponentChildren;
}): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const before = document.activeElement as HTMLElement | null;
    dialog.current?.showModal();
    return () => before?.focus();
  }, []);
  return (
    <dialog
      ref={dialog}
      aria-labelledby={id}
      onClose={onClose}
      onCancel={onClose}
      onClick={(event) => event.target === dialog.current && onClose()}
    >
      <div class="dialog">
        <h2 id={id}>{title}</h2>
        {children}
      </div>
    </dialog>
  );
}

interface ActionProps {
  label: string;
  /** What the key needs. Without it the button is shown, and says why it does nothing. */
  scope: KeyScope;
  /** Says what will happen. Absent: the action is done at once. */
  confirm?: ComponentChildren;
  danger?: boolean;
  primary?: boolean;
  /** What is said when it is done. */
  done: string;
  work: () => Promise<unknown>;
  onDone?: () => void;
  /** Why it is not possible now. */
  refused?: string;
}

/** A button that changes something: it asks where that is needed, tells what came of it, and obeys the key's scope. */
export function Action(props: ActionProps): JSX.Element {
  const { label, scope, confirm, danger = false, primary = false, done, work, onDone, refused } = props;
  const asking = useSignal(false);
  const busy = useSignal(false);
  const why = whyRefused(scope) ?? refused;
  const run = async (): Promise<void> => {
    busy.value = true;
    const well = await act(work, done);
    busy.value = false;
    asking.value = false;
    if (well) onDone?.();
  };
  const begin = (): void => {
    if (confirm === undefined) void run();
    else asking.value = true;
  };
  return (
    <>
      <ScopedButton why={why} danger={danger} primary={primary} busy={busy.value} onClick={begin}>
        {label}
      </ScopedButton>
      {asking.value && (
        <Dialog title={`${label}?`} onClose={() => (asking.value = false)}>
          <div>{confirm}</div>
          <div class="dialog-actions">
            <button type="button" class="button" onClick={() => (asking.value = false)}>
              Keep as it is
            </button>
            <button type="button" class={`button ${danger ? 'danger' : 'primary'}`} disabled={busy.value} onClick={run}>
              {label}
            </button>
          </div>
        </Dialog>
      )}
    </>
  );
}

/** A disabled button cannot be reached by keyboard, so it stays reachable, and its description says why it is off. */
export function ScopedButton({
  why,
  danger = false,
  primary = false,
  busy = false,
  onClick,
  children,
}: {
  why: string | undefined;
  danger?: boolean;
  primary?: boolean;
  busy?: boolean;
  onClick: () => void;
  children: ComponentChildren;
}): JSX.Element {
  const id = useId();
  const off = why !== undefined || busy;
  return (
    <span class="scoped">
      <button
        type="button"
        class={`button ${danger ? 'danger' : ''} ${primary ? 'primary' : ''}`}
        aria-disabled={off}
        aria-describedby={why === undefined ? undefined : id}
        title={why}
        onClick={() => !off && onClick()}
      >
        {children}
      </button>
      {why !== undefined && (
        <span id={id} class="unseen">
          {why}
        </span>
      )}
    </span>
  );
}
