/** The run is invalid: a contestant is missing, or did not do its work. */
export class InvalidRunError extends Error {}
