import { userInfo } from 'node:os';

/** Who runs a command, as the audit keeps him. */
export function commandActor(): string {
  return `command:${userName()}`;
}

/** A container may run as a user who has no name. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}`;
  }
}
