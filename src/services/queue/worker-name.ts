import { hostname } from 'node:os';

/** The name of this process in chunks, blocked lanes and the list of workers. */
export const WORKER_NAME = `${hostname()}:${process.pid}`;
