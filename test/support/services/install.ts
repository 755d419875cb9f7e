import { existsSync } from 'node:fs';
import { chmod, rm, writeFile } from 'node:fs/promises';
import { findExecutable, runCommand } from './run-command.js';
import type { Log } from './running-service.js';

const POLICY = '/usr/sbin/policy-rc.d';
const INSTALL_TIMEOUT_MS = 300_000;

/** True where packages can be installed without asking anybody: as root, on Debian or a relative. */
export async function canInstall(): Promise<boolean> {
  return process.getuid?.() === 0 && (await findExecutable('apt-get')) !== undefined;
}

/** Installs Debian packages without starting their services: the tests start their own. */
export async function installPackages(packages: readonly string[], log: Log): Promise<void> {
  log(`Installing ${packages.join(' and ')} (apt-get)`);
  const environment = { DEBIAN_FRONTEND: 'noninteractive' };
  const options = { environment, timeoutMs: INSTALL_TIMEOUT_MS };
  const lift = await forbidServiceStart();
  try {
    await runCommand('apt-get', ['update', '-q'], options);
    await runCommand('apt-get', ['install', '-y', '-q', '--no-install-recommends', ...packages], options);
  } finally {
    await lift();
  }
}

/** Debian asks this script before it starts a service; 101 means no. One that is there already stays as it is. */
async function forbidServiceStart(): Promise<() => Promise<void>> {
  if (existsSync(POLICY)) return () => Promise.resolve();
  await writeFile(POLICY, '#!/bin/sh\nexit 101\n');
  await chmod(POLICY, 0o755);
  return () => rm(POLICY, { force: true });
}
