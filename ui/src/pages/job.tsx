import type { JSX } from 'preact';
import { NotFoundPage } from './not-found.js';
export function JobPage(_: { name: string }): JSX.Element {
  return <NotFoundPage />;
}
