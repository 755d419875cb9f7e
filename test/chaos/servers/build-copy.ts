import { cp, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { buildService } from '../../support/build-service.js';

const ROOT = resolve(import.meta.dirname, '../../..');

export interface BuildCopy {
  /** Holds `main.js`. */
  dist: string;
  remove(): Promise<void>;
}

/**
 * A copy of the compiled service: processes are started all the time, and a build meanwhile must not change what they execute.
 *
 * @param dist what to copy; default: `src`, compiled now
 */
export async function copyBuild(dist?: string): Promise<BuildCopy> {
  if (dist === undefined) await buildService();
  const folder = await mkdtemp(join(tmpdir(), 'batch-chaos-build-'));
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  try {
    await cp(dist ?? join(ROOT, 'dist'), join(folder, 'dist'), { recursive: true });
    await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    await writeFile(join(folder, 'package.json'), JSON.stringify({ type: 'module' }));
    return { dist: join(folder, 'dist'), remove };
  } catch (error) {
    await remove();
    throw error;
  }
}
