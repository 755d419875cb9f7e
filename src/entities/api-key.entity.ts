import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A caller's key to REST and RPC over TCP. */
@Entity({
  schema: 'batch',
  name: 'api_keys',
  comment: 'Keys of callers: HMAC-SHA256 of the secret, scopes, and the tables a key is limited to.',
})
export class ApiKeyEntity {
  /** The public part of the key. */
  @PrimaryColumn({ type: 'text', primaryKeyConstraintName: 'api_keys_pkey' })
  id!: string;

  @Column({ type: 'text' })
  name!: string;

  @Column({ name: 'secret_hash', type: 'bytea' })
  secretHash!: Buffer;

  @Column({ type: 'text', array: true })
  scopes!: string[];

  /** Written as in `BATCH_ALLOWED_TARGETS`; null: all that the service allows. */
  @Column({ type: 'text', array: true, nullable: true })
  targets!: string[] | null;

  /** In whose name operations may be handed over; null: in any. */
  @Column({ type: 'text', array: true, nullable: true })
  sources!: string[] | null;

  @Column({ name: 'created_at', type: 'timestamptz', default: () => 'now()' })
  createdAt!: Date;

  @Column({ name: 'expires_at', type: 'timestamptz', nullable: true })
  expiresAt!: Date | null;

  @Column({ name: 'revoked_at', type: 'timestamptz', nullable: true })
  revokedAt!: Date | null;
}
