import type { DataSource } from 'typeorm';

export interface ServerVersion {
  /** For example 14 for 14.9. */
  major: number;
  /** As the server writes it. */
  text: string;
}

export async function readServerVersion(dataSource: DataSource): Promise<ServerVersion> {
  const [row] = await dataSource.query<{ number: string; text: string }[]>(
    `select current_setting('server_version_num') as number, current_setting('server_version') as text`,
  );
  return { major: Math.floor(Number(row?.number) / 10_000), text: row?.text ?? 'unknown' };
}
