import type { JSX } from 'preact';
import { NotFoundPage } from './not-found.js';
export function DeadLettersPage(_: object): JSX.Element {
  return <NotFoundPage />;
}
