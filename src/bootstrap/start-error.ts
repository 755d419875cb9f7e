/** Why the service cannot start, in one line that names what to change. It is told without a stack: nothing is wrong in the code. */
export class StartError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StartError';
  }
}
