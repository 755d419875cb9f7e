import { access, constants, stat } from 'node:fs/promises';
import type { JobParameters } from '../model/job-parameters.js';

/** What is wrong with the parameters of type `file` in this process, each fault as a sentence without its full stop. */
export async function unreadableFiles(parameters: JobParameters): Promise<string[]> {
  const files = parameters.entries().filter(([, { type }]) => type === 'file');
  const faults = await Promise.all(files.map(([name, { value }]) => faultOf(name, String(value))));
  return faults.filter((fault) => fault !== undefined);
}

async function faultOf(name: string, path: string): Promise<string | undefined> {
  try {
    if ((await stat(path)).isDirectory()) return `Parameter "${name}" must be a file, and "${path}" is a directory`;
    await access(path, constants.R_OK);
    return undefined;
  } catch (error) {
    return `Parameter "${name}" must be a file that can be read: ${(error as Error).message}`;
  }
}
