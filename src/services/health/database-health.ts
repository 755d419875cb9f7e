import { Injectable, type OnModuleInit } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { SCHEMA } from '../database/data-source.js';
import { DatabaseService } from '../database/database.service.js';
import type { SqlStatement } from '../database/sql.js';
import { sqlStateOf } from '../database/sql-state.js';
import { HealthService } from './health.service.js';

/** Ready means: the database answers, and has the tables that this version was written for. */
@Injectable()
export class DatabaseHealth implements OnModuleInit {
  private migrated = false;

  constructor(
    private readonly health: HealthService,
    private readonly database: DatabaseService,
    private readonly dataSource: DataSource,
  ) {}

  onModuleInit(): void {
    this.health.register({ name: 'database', check: () => this.checkConnection() });
    this.health.register({ name: 'migrations', check: () => this.checkMigrations() });
  }

  private async checkConnection(): Promise<undefined> {
    await this.database.query({ text: 'select 1' });
  }

  private async checkMigrations(): Promise<string | undefined> {
    // Migrations are never undone under a running service, so once is enough.
    if (this.migrated) return undefined;
    const missing = await this.missingMigrations();
    this.migrated = missing.length === 0;
    return this.migrated ? undefined : `not applied: ${missing.join(', ')}; run \`npm run migration:run\``;
  }

  private async missingMigrations(): Promise<string[]> {
    const applied = await this.database.query<{ name: string }>(selectAppliedMigrations()).catch((error: unknown) => {
      if (isUndefinedTable(error)) return { rows: [] };
      throw error;
    });
    const names = new Set(applied.rows.map(({ name }) => name));
    return this.dataSource.migrations
      .map(({ name, constructor }) => name ?? constructor.name)
      .filter((name) => !names.has(name));
  }
}

function selectAppliedMigrations(): SqlStatement {
  return { text: `select name from ${SCHEMA}.migrations` };
}

const UNDEFINED_TABLE = '42P01';

function isUndefinedTable(error: unknown): boolean {
  return sqlStateOf(error) === UNDEFINED_TABLE;
}
