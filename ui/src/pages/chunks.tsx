import type { JSX } from 'preact';
import { NotFoundPage } from './not-found.js';
export function ChunksPage(_: object): JSX.Element {
  return <NotFoundPage />;
}
