import { execFile } from 'node:child_process';
import { cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const ROOT = join(import.meta.dirname, '../..');
const run = promisify(execFile);

export interface LibraryManifest {
  dependencies: Record<string, string>;
  peerDependencies: Record<string, string>;
  peerDependenciesMeta: Record<string, { optional?: boolean }>;
  exports: Record<string, { types: string; default: string }>;
}

/** Makes the tarball of `npm run pack:library`, and unpacks it. Answers its folder. */
export async function packLibrary(destination: string): Promise<string> {
  const { stdout } = await run(process.execPath, ['scripts/pack-library.mjs', destination], { cwd: ROOT });
  const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  const tarball = join(destination, `batch-service-${version}.tgz`);
  if (stdout.trim() !== tarball) throw new Error(`pack:library has made ${stdout.trim()} instead of ${tarball}`);
  await run('tar', ['-xzf', tarball, '-C', destination]);
  return join(destination, 'package');
}

export const manifestOf = async (library: string): Promise<LibraryManifest> =>
  JSON.parse(await readFile(join(library, 'package.json'), 'utf8')) as LibraryManifest;

/** An application of somebody else: the library, beside it what npm installs with it, and `more`, which its author installs. */
export async function installLibrary(library: string, app: string, more: readonly string[]): Promise<void> {
  const modules = join(app, 'node_modules');
  await mkdir(modules, { recursive: true });
  await cp(library, join(modules, 'batch-service'), { recursive: true });
  const { dependencies, peerDependencies, peerDependenciesMeta } = await manifestOf(library);
  const peers = Object.keys(peerDependencies).filter((name) => peerDependenciesMeta[name]?.optional !== true);
  for (const name of new Set([...Object.keys(dependencies), ...peers, ...more])) {
    await mkdir(dirname(join(modules, name)), { recursive: true });
    await symlink(join(ROOT, 'node_modules', name), join(modules, name));
  }
  const compilerOptions = {
    ...{
      target: 'ES2023',
      module: 'NodeNext',
      moduleResolution: 'nodenext',
      strict: true,
      skipLibCheck: true,
      types: [],
    },
    ...{ experimentalDecorators: true, emitDecoratorMetadata: true },
  };
  await writeFile(join(app, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }));
  await writeFile(join(app, 'package.json'), JSON.stringify({ type: 'module' }));
}

/** Checks the types of an application, and compiles it. */
export async function compileApplication(app: string): Promise<void> {
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  await run(process.execPath, [tsc, '-p', app]).catch((error: Error & { stdout?: string }) => {
    throw new Error(`The application does not compile:\n${error.stdout}`, { cause: error });
  });
}
