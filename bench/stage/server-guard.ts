import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Cluster } from '../../src/services/database/embedded-cluster.js';

export interface ServerGuard {
  stop(): Promise<void>;
}

// pg_ctl puts the server into a session of its own, so it outlives a run that is killed; the pipe to this script does not.
// What is removed at once needs no checkpoint.
const GUARD = `
cat >/dev/null
"$1" stop -s -w -m immediate -D "$2"
status=$?
rm -rf "$3"
exit $status
`;

/** Ends a running server together with this process, however the process ends. */
export function guardServer({ account, bin, dataFolder, directory }: Cluster): ServerGuard {
  const child = spawn('sh', ['-c', GUARD, 'guard', join(bin, 'pg_ctl'), dataFolder, directory], {
    ...account,
    cwd: '/',
    // Ctrl-C must first reach the processes that use the server.
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  const exited = once(child, 'exit');
  return {
    async stop() {
      child.stdin.end();
      const [code] = (await exited) as [number | null];
      if (code !== 0) throw new Error(`The server in ${dataFolder} could not be stopped`);
    },
  };
}
