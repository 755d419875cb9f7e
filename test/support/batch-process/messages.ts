import type { DatabaseConnection } from '../test-databases.js';

export interface BatchProcessOptions {
  connection: DatabaseConnection;
  leaseMs: number;
}

/** `hold`: what runs waits at its gate, until it may `go on`, or go to the `next gate`. `open`: renew leases and take over. */
export type Order =
  | { do: 'hold' }
  | { do: 'go on' }
  | { do: 'next gate' }
  | { do: 'open' }
  | { do: 'start'; job: string; round: number; at: number };

export type Told =
  | { is: 'ready' }
  | { is: 'started'; id: string }
  | { is: 'chunk'; first: number }
  | { is: 'ended'; id: string; status: string }
  | { is: 'refused'; name: string; code: string };
