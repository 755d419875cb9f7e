// `npm run gen:worker NAME`: makes a whole project of a worker, which runs at once. It is made in a temporary folder beside its place and
// moved there as the last step, so a failure leaves nothing behind.
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { lstatSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { faultOfName } from './gen-worker/check-name.mjs';
import { manifestOf } from './gen-worker/manifest.mjs';
import { renderTemplate } from './gen-worker/render.mjs';

const USAGE = `Makes a worker: a project that works the jobs of one queue.

  npm run gen:worker NAME                  makes ../worker-NAME, beside this project
  npm run gen:worker NAME -- --into DIR    makes DIR/worker-NAME

NAME   lower-case words joined by hyphens, such as payment or card-payment; also the name of the queue
DIR    a folder that exists; it is relative to the folder in which you type the command

Exit codes: 0 made, 1 it could not be made, 2 the name or an option is wrong, or the folder exists.
`;

const root = resolve(import.meta.dirname, '..');

const interruption = new AbortController();

class UsageError extends Error {}

process.exitCode = await main();

async function main() {
  try {
    const options = readOptions();
    if (options === undefined) {
      process.stdout.write(USAGE);
      return 0;
    }
    await make(options);
    return 0;
  } catch (error) {
    console.error(error.message);
    return error instanceof UsageError ? 2 : 1;
  }
}

/** @returns undefined when help was asked for */
function readOptions() {
  let parsed;
  try {
    const options = { into: { type: 'string' }, help: { type: 'boolean', short: 'h' } };
    parsed = parseArgs({ options, allowPositionals: true });
  } catch (error) {
    throw new UsageError(`${error.message}\n\n${USAGE}`, { cause: error });
  }
  const { values, positionals } = parsed;
  if (values.help) return undefined;
  if (positionals.length !== 1) throw new UsageError(`Expected one name, got ${positionals.length}.\n\n${USAGE}`);
  const [name] = positionals;
  const fault = faultOfName(name);
  if (fault !== undefined) throw new UsageError(`The name ${JSON.stringify(name)} cannot be used: ${fault}.`);
  // npm runs this in the folder of the project.
  const typedIn = process.env.INIT_CWD ?? process.cwd();
  const parent = values.into === undefined ? resolve(root, '..') : resolve(typedIn, values.into);
  if (!statSync(parent, { throwIfNoEntry: false })?.isDirectory())
    throw new UsageError(`There is no folder ${parent}.`);
  const folder = join(parent, `worker-${name}`);
  // Also a link that leads nowhere.
  if (lstatSync(folder, { throwIfNoEntry: false }))
    throw new UsageError(`${folder} exists already. Choose another name, or remove it.`);
  return { name, parent, folder };
}

async function make({ name, parent, folder }) {
  const draft = join(parent, `.worker-${name}-${randomUUID()}`);
  // The work then fails, and the draft is removed.
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => interruption.abort(new Error('interrupted')));
  try {
    mkdirSync(draft);
    await renderTemplate(name, draft);
    await packLibrary(join(draft, 'vendor'));
    const project = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    const [tarball] = readdirSync(join(draft, 'vendor'));
    writeFileSync(
      join(draft, 'package.json'),
      `${JSON.stringify(manifestOf(name, project, `vendor/${tarball}`), null, 2)}\n`,
    );
    await writeLock(draft);
    // The last step: what has this name is whole.
    renameSync(draft, folder);
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    throw new Error(`The worker was not made, and nothing of it is left: ${error.message}`, { cause: error });
  }
  console.log(`Made ${folder}

  cd ${folder}
  cp .env.example .env      # and change what is different on your machine
  npm ci
  npm start

README.md there says how to configure, test and grow it.`);
}

async function packLibrary(destination) {
  mkdirSync(destination);
  await run('npm', ['run', '--silent', 'pack:library', '--', destination], root);
}

/** With it `npm ci` works. It names no registry, so that it serves wherever packages come from. */
async function writeLock(folder) {
  const flags = [
    '--package-lock-only',
    '--ignore-scripts',
    '--prefer-offline',
    '--omit-lockfile-registry-resolved',
    '--no-audit',
    '--no-fund',
  ];
  try {
    await run('npm', ['install', ...flags], folder);
  } catch (error) {
    if (interruption.signal.aborted) throw error;
    throw new Error(
      `npm did not find out which packages it needs. If npm does not reach its registry, look at "npm config get registry", ` +
        `then type the command again.\n${error.message}`,
      { cause: error },
    );
  }
}

async function run(command, args, cwd) {
  interruption.signal.throwIfAborted();
  const child = spawn(command, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  const end = () => child.kill();
  interruption.signal.addEventListener('abort', end);
  let output = '';
  child.stdout.on('data', (chunk) => (output += chunk));
  child.stderr.on('data', (chunk) => (output += chunk));
  const [code, signal] = await once(child, 'close');
  interruption.signal.removeEventListener('abort', end);
  interruption.signal.throwIfAborted();
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code ?? signal}:\n${output.trim()}`);
}
