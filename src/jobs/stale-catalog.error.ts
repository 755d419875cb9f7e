/** No verdict: the chunk is tried again, with the tables read anew. It has no SQLSTATE, so it is transient. */
export class StaleCatalogError extends Error {
  constructor() {
    super('A statement cannot run; the table may have been altered since the catalog was read');
    this.name = 'StaleCatalogError';
  }
}
