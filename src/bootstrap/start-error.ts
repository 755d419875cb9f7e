/** Why the service cannot start, in one line that names what to change. It is told without a stack: nothing is wrong in the code. */
export class StartError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StartError';
  }
}

export const LACKS_MIGRATIONS =
  'The database lacks the migrations of this version: start the service once, or run `node dist/migrate.js`';
