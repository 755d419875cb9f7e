import type { JSX } from 'preact';
import { NotFoundPage } from './not-found.js';
export function BulkActionsPage(_: object): JSX.Element {
  return <NotFoundPage />;
}
export function BulkActionPage(_: { id: string }): JSX.Element {
  return <NotFoundPage />;
}
