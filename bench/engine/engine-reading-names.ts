/** Names of readings by which targets are judged: one place for the study that takes them and the judge that looks for them. */

export const DIRECT = 'direct set inserts, rows from memory';
export const COPY = 'COPY of the file';
export const CLEAN = 'engine, clean';
export const CLEAN_BY_COPY = 'engine, clean, COPY writer';
export const ONE_IN_THOUSAND = 'engine, 0.1 % bad';
export const ONE_IN_HUNDRED = 'engine, 1 % bad';
/** The most of each run. */
export const ENGINE_RSS = 'RSS of the engine';
