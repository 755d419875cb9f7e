import { Injectable, type OnModuleInit } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { DatabaseService } from '../database/database.service.js';
import { missingMigrations } from '../database/missing-migrations.js';
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
    const missing = await missingMigrations(this.dataSource);
    this.migrated = missing.length === 0;
    return this.migrated ? undefined : `not applied: ${missing.join(', ')}; run \`node dist/migrate.js\``;
  }
}
