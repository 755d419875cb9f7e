import type { JSX } from 'preact';
import { NotFoundPage } from './not-found.js';
export function FailuresPage(_: object): JSX.Element {
  return <NotFoundPage />;
}
