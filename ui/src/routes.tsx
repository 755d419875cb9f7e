import type { JSX } from 'preact';
import { AlertsPage } from './pages/alerts.js';
import { BulkActionPage, BulkActionsPage } from './pages/bulk-actions.js';
import { ChunkPage } from './pages/chunk.js';
import { ChunksPage } from './pages/chunks.js';
import { DeadLettersPage } from './pages/dead-letters.js';
import { ExecutionPage } from './pages/execution.js';
import { FailuresPage } from './pages/failures.js';
import { JobPage } from './pages/job.js';
import { JobsPage } from './pages/jobs.js';
import { LanesPage } from './pages/lanes.js';
import { NotFoundPage } from './pages/not-found.js';
import { OperationPage } from './pages/operation.js';
import { OperationsPage } from './pages/operations.js';
import { OverviewPage } from './pages/overview.js';

/** The pages in the order of the navigation. */
export const NAVIGATION = [
  { page: '/', name: 'Overview' },
  { page: '/operations', name: 'Operations' },
  { page: '/failures', name: 'Failures' },
  { page: '/lanes', name: 'Lanes' },
  { page: '/chunks', name: 'Chunks' },
  { page: '/jobs', name: 'Jobs' },
  { page: '/dead-letters', name: 'Dead letters' },
  { page: '/bulk-actions', name: 'Bulk actions' },
  { page: '/alerts', name: 'Alerts' },
] as const;

export function pageOf(path: string): JSX.Element {
  const [, section = '', rest] = /^\/([^/]*)(?:\/(.+))?$/.exec(path) ?? [];
  const name = rest === undefined ? undefined : decode(rest);
  switch (section) {
    case '':
      return <OverviewPage />;
    case 'operations':
      return name === undefined ? <OperationsPage /> : <OperationPage key={name} id={name} />;
    case 'failures':
      return <FailuresPage />;
    case 'lanes':
      return <LanesPage />;
    case 'chunks':
      return name === undefined ? <ChunksPage /> : <ChunkPage key={name} id={name} />;
    case 'jobs':
      return name === undefined ? <JobsPage /> : <JobPage key={name} name={name} />;
    case 'executions':
      return name === undefined ? <NotFoundPage /> : <ExecutionPage key={name} id={name} />;
    case 'dead-letters':
      return <DeadLettersPage />;
    case 'bulk-actions':
      return name === undefined ? <BulkActionsPage /> : <BulkActionPage key={name} id={name} />;
    case 'alerts':
      return <AlertsPage />;
    default:
      return <NotFoundPage />;
  }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
