import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The account that the server runs as, in the form that `child_process` takes. */
export interface ServerAccount {
  uid: number;
  gid: number;
}

/** Most systems have both, so no account has to be added. */
const UNPRIVILEGED = ['postgres', 'nobody'];

/**
 * The account for the server, because PostgreSQL refuses to run as root. Returns undefined for any other user: then the
 * server runs as that user. For root it is the owner of the existing data, or else an unprivileged account of the
 * system.
 */
export async function serverAccount(dataFolder: string): Promise<ServerAccount | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const owner = await stat(dataFolder).catch(() => undefined);
  if (owner && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };
  for (const name of UNPRIVILEGED) {
    const account = await lookUp(name);
    if (account) return account;
  }
  throw new Error(
    'PostgreSQL refuses to run as root, and this system has neither a user postgres nor a user nobody. Start the service as another user.',
  );
}

async function lookUp(name: string): Promise<ServerAccount | undefined> {
  try {
    const [uid, gid] = await Promise.all(['-u', '-g'].map(async (option) => (await run('id', [option, name])).stdout));
    return { uid: Number(uid), gid: Number(gid) };
  } catch {
    return undefined;
  }
}

/** Whether the account may enter the folder, and every folder above it. */
export async function canEnter(account: ServerAccount, folder: string): Promise<boolean> {
  return run('/bin/sh', ['-c', 'cd -- "$1"', 'sh', folder], { ...account, cwd: '/' }).then(
    () => true,
    () => false,
  );
}
