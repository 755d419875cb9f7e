import { Injectable, type OnModuleInit } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { DatabaseService } from '../database/database.service.js';
import { readSchemaState } from '../database/schema-state.js';
import { HealthService } from './health.service.js';

/** A schema changes only when somebody migrates it, so it is not read with every probe. */
const SCHEMA_REMEMBERED_FOR_MS = 2000;

/** Ready means: the database answers, and has the schema for which this version was written. */
@Injectable()
export class DatabaseHealth implements OnModuleInit {
  private asking: Promise<undefined> | undefined;
  private schemaFitsUntil = 0;

  constructor(
    private readonly health: HealthService,
    private readonly database: DatabaseService,
    private readonly dataSource: DataSource,
  ) {}

  onModuleInit(): void {
    this.health.register({ name: 'database', check: () => this.checkConnection() });
    this.health.register({ name: 'migrations', check: () => this.checkSchema() });
  }

  /**
   * One question at a time. Otherwise a database that does not answer would take one connection of the pool after the
   * other.
   */
  private checkConnection(): Promise<undefined> {
    this.asking ??= this.ask().finally(() => (this.asking = undefined));
    return this.asking;
  }

  private async ask(): Promise<undefined> {
    await this.database.query({ text: 'select 1' });
  }

  private async checkSchema(): Promise<string | undefined> {
    if (performance.now() < this.schemaFitsUntil) return undefined;
    // If it does not answer at all, one question is enough.
    await this.checkConnection();
    const { missing, unknown } = await readSchemaState(this.dataSource);
    if (missing.length > 0) return `not applied: ${missing.join(', ')}; run \`node dist/migrate.js\``;
    if (unknown.length > 0) return `applied by a newer version: ${unknown.join(', ')}; run that version here too`;
    this.schemaFitsUntil = performance.now() + SCHEMA_REMEMBERED_FOR_MS;
    return undefined;
  }
}
