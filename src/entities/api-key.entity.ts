import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A caller's key to REST and RPC over TCP. */
@Entity({
  schema: 'batch',
  name: 'api_keys',
  comment:
    'Keys of callers: the encrypted SHA-256 of the secret, scopes, and the tables and sources a key is limited to.',
})
export class ApiKeyEntity {
  /** The public part of the key. */
  @PrimaryColumn({ type: 'text', primaryKeyConstraintName: 'api_keys_pkey' })
  id!: string;

  @Column({ type: 'text' })
  name!: string;

  /** The version of the service's secret that encrypts it, see `sealingKey`. */
  @Column({ name: 'secret_version', type: 'text' })
  secretVersion!: string;

  /** The SHA-256 of the key's secret, encrypted: see `sealHash`. */
  @Column({ name: 'secret_box', type: 'bytea' })
  secretBox!: Buffer;

  @Column({ type: 'text', array: true })
  scopes!: string[];

  /** Written as in `BATCH_ALLOWED_TARGETS`; null: all that the service allows. */
  @Column({ type: 'text', array: true, nullable: true })
  targets!: string[] | null;

  /** The sources that its operations may name; null: any. */
  @Column({ type: 'text', array: true, nullable: true })
  sources!: string[] | null;

  @Column({ name: 'created_at', type: 'timestamptz', default: () => 'now()' })
  createdAt!: Date;

  @Column({ name: 'expires_at', type: 'timestamptz', nullable: true })
  expiresAt!: Date | null;

  @Column({ name: 'revoked_at', type: 'timestamptz', nullable: true })
  revokedAt!: Date | null;
}
