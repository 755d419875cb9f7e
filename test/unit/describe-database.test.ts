import { describe, expect, it } from 'vitest';
import { describeDatabase } from '../../src/bootstrap/describe-database.js';
import type { DatabaseFacts } from '../../src/services/database/session.sql.js';
import { testSettings } from '../support/test-settings.js';

const SOUND: DatabaseFacts = {
  fsync: 'on',
  fullPageWrites: 'on',
  synchronousCommit: 'on',
  sessionReplicationRole: 'origin',
  inRecovery: false,
  superuser: false,
  unlogged: [],
};
const settings = testSettings({ DB_HOST: 'db', DB_USERNAME: 'writer', BATCH_ALLOWED_TARGETS: 'public.*, shop.items' });
const table = (schema: string, name: string) => ({ schema, name });

describe('what the service says of a database at its start', () => {
  it.each<[what: string, facts: Partial<DatabaseFacts>, told: RegExp]>([
    ['fsync', { fsync: 'off' }, /db:5432 has fsync=off.*lose.*Set fsync=on/],
    ['full pages', { fullPageWrites: 'off' }, /full_page_writes=off.*damage/],
    ['commits', { synchronousCommit: 'off' }, /synchronous_commit=off.*pooler in transaction mode/],
    ['weaker commits', { synchronousCommit: 'local' }, /synchronous_commit=local/],
    ['triggers', { sessionReplicationRole: 'replica' }, /session_replication_role=replica.*Foreign keys.*"writer"/],
    ['a standby', { inRecovery: true }, /standby.*DB_HOST.*primary/],
    ['a queue that is not logged', { unlogged: [table('batch', 'pending')] }, /batch\.pending.*set logged/],
    ['a target that is not logged', { unlogged: [table('shop', 'items')] }, /shop\.items/],
  ])('is a warning of %s', (_what, facts, told) => {
    expect(describeDatabase({ ...SOUND, ...facts }, settings)).toEqual([expect.stringMatching(told)]);
  });

  it('is nothing of one that keeps what it has committed', () => {
    expect(describeDatabase(SOUND, settings)).toEqual([]);
    expect(describeDatabase({ ...SOUND, synchronousCommit: 'remote_apply' }, settings)).toEqual([]);
  });

  it('is nothing of unlogged tables that no operation may name', () => {
    expect(describeDatabase({ ...SOUND, unlogged: [table('shop', 'cache'), table('other', 'x')] }, settings)).toEqual(
      [],
    );
  });

  it('is a warning of a superuser in production only', () => {
    const superuser = { ...SOUND, superuser: true };
    expect(describeDatabase(superuser, { ...settings, environment: 'production' })).toEqual([
      expect.stringMatching(/SUPERUSER: the user "writer".*scripts\/roles\.sql.*DB_USERNAME/),
    ]);
    expect(describeDatabase(superuser, settings)).toEqual([]);
  });

  it('names five tables and counts the others', () => {
    const unlogged = [1, 2, 3, 4, 5, 6, 7].map((number) => table('public', `t${number}`));
    expect(describeDatabase({ ...SOUND, unlogged }, settings).join()).toMatch(/public\.t5, and 2 more/);
  });
});
