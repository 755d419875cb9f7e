import type { JSX } from 'preact';
import { dismiss, notices } from '../state/act.js';

export function Notices(): JSX.Element {
  return (
    <div class="notices" role="status" aria-live="polite">
      {notices.value.map(({ id, kind, text }) => (
        <div key={id} class={`notice ${kind}`}>
          <span>
            <strong>{kind === 'done' ? 'Done. ' : 'Not done. '}</strong>
            {text}
          </span>
          <button type="button" class="icon-button" aria-label="Close the message" onClick={() => dismiss(id)}>
            ×
          </button>
        </div>
      ))}
    </div>
  );
}
