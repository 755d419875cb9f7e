import { Injectable } from '@nestjs/common';
import { DatabaseService } from '../database/database.service.js';
import { beginAttempts, concludeAttempts, selectAttempts, type AttemptsRow } from './message-attempts.sql.js';

/**
 * Remembers, for each message that came back to the queue, how often a process began to handle it without finishing.
 * The record survives the processes. So it distinguishes a message that ends processes from those that were only
 * handled at the same time.
 */
@Injectable()
export class MessageAttemptsService {
  constructor(private readonly database: DatabaseService) {}

  /**
   * @returns how often handling of each of these began without a known end; no entry for a message that was never begun
   */
  async count(fingerprints: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const { rows } = await this.database.query<AttemptsRow>(selectAttempts(fingerprints));
    return new Map(rows.map(({ fingerprint, attempts }) => [fingerprint, attempts]));
  }

  /** Call this before these messages are handled. */
  async begin(fingerprints: readonly string[]): Promise<void> {
    await this.database.query(beginAttempts(fingerprints));
  }

  /** Call this when handling these messages has ended in any way. */
  async conclude(fingerprints: readonly string[]): Promise<void> {
    await this.database.query(concludeAttempts(fingerprints));
  }
}
