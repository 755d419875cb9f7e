import type { IFailureGroup, IFailures } from '../../../interfaces/failure.js';
import { Fields } from './fields.js';

@Fields<IFailureGroup['example']>({
  id: { format: 'uuid', example: '0198f2a0-3b1c-7d4e-9f50-6a7b8c9d0e1f' },
  message: { example: 'duplicate key value violates unique constraint "orders_pkey"' },
})
export class FailureExampleDto {}

@Fields<IFailureGroup>({
  code: { example: 'UNIQUE_VIOLATION' },
  constraint: { optional: true, description: 'Absent where no constraint was named.', example: 'orders_pkey' },
  target: { example: 'public.orders' },
  count: {
    description: 'How many operations. Where it is not exact, about how many, and there may be more.',
    example: 12,
  },
  countIsExact: { example: true },
  firstAt: {
    format: 'date-time',
    description: 'When the first of them failed. Where the count is not exact, some may have failed earlier.',
    example: '2026-01-01T08:00:00.000Z',
  },
  lastAt: { format: 'date-time', example: '2026-01-01T09:30:00.000Z' },
  example: { type: FailureExampleDto, description: 'The last one that was accepted.' },
})
export class FailureGroupDto {}

@Fields<IFailures>({
  items: { type: [FailureGroupDto], description: 'In the order of code, constraint and target.' },
  nextCursor: { optional: true, description: 'Absent on the last page.', example: 'WyJVTklRVUVfVklPTEFUSU9OIiwiIl0' },
  examined: { description: 'How many failed operations were looked at for this page.', example: 4000 },
  isComplete: {
    description: 'False: there are more than were looked at, and groups without a recent failure may be missing.',
    example: true,
  },
})
export class FailuresDto {}
