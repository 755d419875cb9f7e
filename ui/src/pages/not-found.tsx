import type { JSX } from 'preact';
import { Empty, Page } from '../components/basics.js';
import { pageAddress } from '../state/location.js';

export function NotFoundPage(): JSX.Element {
  return (
    <Page title="No such page">
      <Empty title="The dashboard has no page at this address.">
        <a href={pageAddress('/')}>To the overview</a>
      </Empty>
    </Page>
  );
}
