import type { JSX } from 'preact';
import { NotFoundPage } from './not-found.js';
export function ExecutionPage(_: { id: string }): JSX.Element {
  return <NotFoundPage />;
}
