/** The service has detected a failure that no operation caused: the chunk is rolled back and tried again. */
export class TransientError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}
