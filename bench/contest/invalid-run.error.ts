/** What makes a run worth nothing: a contestant that is missing, or that did not do its work. */
export class InvalidRunError extends Error {}
