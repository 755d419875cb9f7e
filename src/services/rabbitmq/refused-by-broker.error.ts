/** What no waiting cures: a wrong password, a virtual host that is unknown, a certificate. */
export class RefusedByBrokerError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'RefusedByBrokerError';
  }
}
