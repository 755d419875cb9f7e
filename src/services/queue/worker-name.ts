import { hostname } from 'node:os';

/** This process, as chunks, blocked lanes and the list of workers name it. */
export const WORKER_NAME = `${hostname()}:${process.pid}`;
