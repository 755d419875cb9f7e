import type { ILockHolder } from '../../../interfaces/lock-holder.js';
import { Fields } from './fields.js';

@Fields<ILockHolder>({
  pid: { description: 'For `pg_terminate_backend`. 0: a prepared transaction.', example: 4711 },
  gid: {
    optional: true,
    description:
      'The name of a prepared transaction, for `ROLLBACK PREPARED` or `COMMIT PREPARED`; `user` is its owner.',
    example: 'transfer-17',
  },
  preparedAt: { optional: true, format: 'date-time', example: '2026-01-01T02:00:00.000Z' },
  application: { optional: true, description: 'Its `application_name`.', example: 'nightly-report' },
  user: { optional: true, example: 'reports' },
  client: { optional: true, description: 'Its address.', example: '10.0.0.7' },
  state: { optional: true, example: 'idle in transaction' },
  query: {
    optional: true,
    description: 'The first 200 characters of its last statement; absent when it is not visible.',
    example: 'lock table orders',
  },
  transactionStartedAt: { optional: true, format: 'date-time', example: '2026-01-01T02:00:00.000Z' },
  worker: {
    optional: true,
    description: "The worker of this service to which the session belongs. Absent: it is somebody else's.",
    example: 'worker-1:42',
  },
})
export class LockHolderDto {}
