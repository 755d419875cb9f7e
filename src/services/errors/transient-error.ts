/**
 * A failure that the service itself detects and that says nothing about any operation: the chunk is rolled back and
 * tried again.
 */
export class TransientError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}
