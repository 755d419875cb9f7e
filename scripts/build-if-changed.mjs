// Compiles only if a source is newer than the last build. The compiler takes seconds to find out that nothing changed, and somebody who
// types `npm run keys` or `npm run sql` would wait for it.
import { execFileSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const SETTINGS = ['package.json', 'tsconfig.json', 'tsconfig.build.json', 'scripts/bundle.mjs'];

/** Milliseconds; 0: there is no such file. */
const changedAt = (path) => statSync(join(root, path), { throwIfNoEntry: false })?.mtimeMs ?? 0;

// Folders as well: theirs is the time at which a file in them was deleted.
const sources = ['src', 'ui'].flatMap((folder) => [
  folder,
  ...readdirSync(join(root, folder), { recursive: true }).map((path) => join(folder, path)),
]);
const newest = [...SETTINGS, ...sources].reduce((latest, path) => Math.max(latest, changedAt(path)), 0);
// `npm run build` leaves it when it has succeeded.
if (changedAt('dist/.built') <= newest)
  execFileSync('npm', ['run', '--silent', 'build'], { cwd: root, stdio: 'inherit' });
