/** A refusal that waiting cannot cure: a wrong password, an unknown virtual host, a certificate. */
export class RefusedByBrokerError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'RefusedByBrokerError';
  }
}
