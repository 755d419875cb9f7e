import { TransientError } from '../services/errors/transient-error.js';

/** No verdict: the chunk is tried again, and the tables are read again. */
export class StaleCatalogError extends TransientError {
  constructor() {
    super('A statement cannot run; the table may have been altered since the catalog was read');
  }
}
