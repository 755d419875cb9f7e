import { Injectable } from '@nestjs/common';
import { DatabaseService } from '../database/database.service.js';
import { beginAttempts, concludeAttempts, selectAttempts, type AttemptsRow } from './message-attempts.sql.js';

/**
 * Remembers how often each message that came back to the queue was begun by a process that did not bring it to an end. The record
 * outlives the processes, so the one message of which they die can be told from those that were only at hand.
 */
@Injectable()
export class MessageAttemptsService {
  constructor(private readonly database: DatabaseService) {}

  /** @returns how often each of these was begun without an end that is known; nothing of those that never were */
  async count(fingerprints: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const { rows } = await this.database.query<AttemptsRow>(selectAttempts(fingerprints));
    return new Map(rows.map(({ fingerprint, attempts }) => [fingerprint, attempts]));
  }

  /** To be called before these are begun. */
  async begin(fingerprints: readonly string[]): Promise<void> {
    await this.database.query(beginAttempts(fingerprints));
  }

  /** To be called when these have come to an end, whatever it is. */
  async conclude(fingerprints: readonly string[]): Promise<void> {
    await this.database.query(concludeAttempts(fingerprints));
  }
}
