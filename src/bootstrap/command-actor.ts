import { userInfo } from 'node:os';

/** The user who runs a command, as the audit stores it. */
export function commandActor(): string {
  return `command:${userName()}`;
}

/** In a container the user may have no name. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}`;
  }
}
