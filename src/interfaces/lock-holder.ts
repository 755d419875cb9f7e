/** A session of PostgreSQL, or a prepared transaction, that holds a lock for which others wait. Times are ISO 8601 in UTC. */
export interface ILockHolder {
  /** For `pg_terminate_backend`. 0: a prepared transaction, see `pg_prepared_xacts`. */
  pid: number;
  /** The name of the prepared transaction, for `ROLLBACK PREPARED` or `COMMIT PREPARED`; `user` is its owner. */
  gid?: string;
  /** When the transaction was prepared. */
  preparedAt?: string;
  /** Its `application_name`. */
  application?: string;
  user?: string;
  /** The address from which it is connected; absent for a local socket. */
  client?: string;
  /** `active`, `idle in transaction`, … */
  state?: string;
  /** The first 200 characters of its last statement. Absent when the owner of schema `batch` may not see it. */
  query?: string;
  transactionStartedAt?: string;
  /** The worker of this service to which the session belongs, see `GET workers`. Absent: it is somebody else's. */
  worker?: string;
}
