import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { SETTINGS, type Settings } from '../config/settings.js';
import { DatabaseService } from '../database/database.service.js';
import { readSchemaState } from '../database/schema-state.js';
import { WakeUpService } from '../wake-up/wake-up.service.js';
import { HealthService } from './health.service.js';

/**
 * The servers of a process. Ready means: the database answers, and has the schema for which this version was written.
 * Without Redis everything works, but later: a worker waits for its interval.
 */
@Injectable()
export class ServersHealth implements OnModuleInit {
  private connection: Promise<undefined> | undefined;
  private schema: Promise<string | undefined> | undefined;

  constructor(
    @Inject(SETTINGS) private readonly settings: Pick<Settings, 'redis'>,
    private readonly health: HealthService,
    private readonly database: DatabaseService,
    private readonly dataSource: DataSource,
    private readonly wakeUp: WakeUpService,
  ) {}

  onModuleInit(): void {
    this.health.register({ name: 'database', check: () => this.checkConnection() });
    this.health.register({ name: 'migrations', check: () => this.checkSchema() });
    if (this.settings.redis === undefined) return;
    this.health.register({
      name: 'redis',
      optional: true,
      check: () => (this.wakeUp.connected === true ? undefined : 'not connected; workers wait for their interval'),
    });
  }

  /** One check at a time, also below. A database that does not answer would take connection after connection. */
  private checkConnection(): Promise<undefined> {
    this.connection ??= this.database
      .query({ text: 'select 1' })
      .then(() => undefined)
      .finally(() => (this.connection = undefined));
    return this.connection;
  }

  private checkSchema(): Promise<string | undefined> {
    this.schema ??= this.readSchema().finally(() => (this.schema = undefined));
    return this.schema;
  }

  private async readSchema(): Promise<string | undefined> {
    // If the database does not answer, the second query is not sent.
    await this.checkConnection();
    const { missing, unknown } = await readSchemaState(this.dataSource);
    if (missing.length > 0) return `not applied: ${missing.join(', ')}; run \`node dist/migrate.js\``;
    if (unknown.length > 0) return `applied by a newer version: ${unknown.join(', ')}; run that version here too`;
    return undefined;
  }
}
