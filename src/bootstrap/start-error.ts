/**
 * Why the service cannot start, in one line that names what to change. It is shown without a stack trace, because the
 * code is not at fault.
 */
export class StartError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StartError';
  }
}
