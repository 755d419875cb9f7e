/**
 * A fault that waiting cannot cure: a wrong password, an unknown virtual host, a certificate, a broker that is too old,
 * or a queue with other arguments. The message says what to do.
 */
export class RefusedByBrokerError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'RefusedByBrokerError';
  }
}
