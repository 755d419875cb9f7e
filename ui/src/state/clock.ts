import { signal } from '@preact/signals';

/** The time that ages are counted from. One clock for all of them. */
export const now = signal(Date.now());
window.setInterval(() => {
  if (!document.hidden) now.value = Date.now();
}, 1000);
