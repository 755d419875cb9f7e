import type { JSX } from 'preact';
import { NotFoundPage } from './not-found.js';
export function JobsPage(_: object): JSX.Element {
  return <NotFoundPage />;
}
