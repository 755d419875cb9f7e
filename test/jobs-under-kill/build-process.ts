import { symlink, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';

const ROOT = resolve(import.meta.dirname, '../..');

/** Compiles the program of a job's process into this folder: processes start all the time, and each would compile it anew. */
export async function buildProcess(folder: string): Promise<string> {
  const outfile = join(folder, 'job-process.mjs');
  await build({
    entryPoints: [join(import.meta.dirname, 'job-process.ts')],
    outfile,
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20',
    sourcemap: 'inline',
    logLevel: 'error',
  });
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  await writeFile(join(folder, 'package.json'), JSON.stringify({ type: 'module' }));
  return outfile;
}
