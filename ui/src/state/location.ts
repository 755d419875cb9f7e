import { computed, signal } from '@preact/signals';

// Where the dashboard is: the address of the browser, and nothing else. A link shows what its sender saw.

export const ROOT = '/ui';

const address = signal(window.location.pathname + window.location.search);
window.addEventListener('popstate', () => (address.value = window.location.pathname + window.location.search));

/** Path below `/ui`, with a slash at its beginning and none at its end. */
export const path = computed(() => {
  const [full = ''] = address.value.split('?');
  const below = full.startsWith(ROOT) ? full.slice(ROOT.length) : full;
  return below.replace(/\/+$/, '') || '/';
});

export const query = computed(() => new URLSearchParams(address.value.split('?')[1] ?? ''));

export type Query = Readonly<Record<string, string | number | undefined>>;

/** The address of a page, for a link. Values that are absent or empty are left out. */
export function pageAddress(page: string, values: Query = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined && value !== '') search.set(name, String(value));
  }
  const text = search.toString();
  return `${ROOT}${page}${text === '' ? '' : `?${text}`}`;
}

export function goTo(target: string, { replace = false } = {}): void {
  if (target === address.value) return;
  window.history[replace ? 'replaceState' : 'pushState'](null, '', target);
  const pageBefore = path.value;
  address.value = target;
  if (path.value !== pageBefore) window.scrollTo(0, 0);
}

/** Changes values of the query, and keeps the others. */
export function setQuery(changes: Query, options?: { replace?: boolean }): void {
  const next: Record<string, string | undefined> = { ...Object.fromEntries(query.value) };
  for (const [name, value] of Object.entries(changes)) next[name] = value === undefined ? undefined : String(value);
  goTo(pageAddress(path.value === '/' ? '/' : path.value, next), options);
}

/** Follows links to pages of the dashboard without loading it again. Everything else is left to the browser, also a place of this page. */
export function followLinks(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey)
    return;
  const link = (event.target as Element).closest('a');
  if (link === null || link.target !== '' || link.hash !== '' || link.origin !== window.location.origin) return;
  if (!link.pathname.startsWith(`${ROOT}/`) && link.pathname !== ROOT) return;
  event.preventDefault();
  goTo(link.pathname + link.search);
}
