/** Redis answers, and refuses. No command was executed. */
export interface RedisRefusal {
  /** The word by which Redis names it. */
  code: string;
  /** What it means and what cures it, as half a sentence after the name of the server. */
  text: string;
  /** False: it stays so until somebody changes a setting. */
  passes: boolean;
}

/**
 * Refusals that are no fault of a command. A word is also found inside the answer to a script, where Redis before 7 puts
 * words of its own before it.
 *
 * Source: https://github.com/redis/redis/blob/7.0/src/server.c#L1735, `createSharedObjects`
 */
const REFUSALS: readonly (RedisRefusal & { answer: RegExp })[] = [
  {
    // UNBLOCKED is what a command that waits is told when its server becomes a replica.
    answer: /\b(READONLY|UNBLOCKED)\b/,
    code: 'READONLY',
    text: 'is a replica and takes no writes (READONLY): name the primary in REDIS_URL, or make this server the primary',
    passes: true,
  },
  {
    answer: /\bMASTERDOWN\b/,
    code: 'MASTERDOWN',
    text: 'is a replica that has lost its primary (MASTERDOWN): name the primary in REDIS_URL',
    passes: true,
  },
  {
    answer: /\bLOADING\b/,
    code: 'LOADING',
    text: 'still reads its data from the disk (LOADING): it serves by itself when it has',
    passes: true,
  },
  {
    answer: /\bOOM\b/,
    code: 'OOM',
    text: 'has no memory left (OOM): raise its maxmemory, or remove data from it',
    passes: true,
  },
  {
    answer: /\bMISCONF\b/,
    code: 'MISCONF',
    text: 'cannot write its data to the disk, and takes no writes (MISCONF): make room on its disk; its log tells the reason',
    passes: true,
  },
  {
    answer: /\bNOREPLICAS\b/,
    code: 'NOREPLICAS',
    text: 'has fewer replicas than it requires (NOREPLICAS): start them, or lower its min-replicas-to-write',
    passes: true,
  },
  {
    answer: /\bBUSY Redis\b/,
    code: 'BUSY',
    text: 'is busy with a script (BUSY): wait, or end the script with SCRIPT KILL',
    passes: true,
  },
  {
    answer: /\bmax number of clients reached\b/,
    code: 'MAXCLIENTS',
    text: 'has no connection left (max number of clients reached): raise its maxclients, or end other clients',
    passes: true,
  },
  {
    answer: /\bNOAUTH\b/,
    code: 'NOAUTH',
    text: 'requires a password (NOAUTH): write the user and the password before the host in REDIS_URL',
    passes: false,
  },
  {
    answer: /\b(WRONGPASS|invalid password)\b/,
    code: 'WRONGPASS',
    text: 'refuses the user or the password (WRONGPASS): correct them in REDIS_URL',
    passes: false,
  },
  {
    answer: /\bNOPERM\b/,
    code: 'NOPERM',
    text: 'gives the user too few rights (NOPERM): let it use all commands and scripts on the keys bull:*',
    passes: false,
  },
  {
    answer: /\bDENIED Redis\b/,
    code: 'DENIED',
    text: 'serves its own machine only (DENIED): give it a password, or a `bind` to an address that only you reach',
    passes: false,
  },
];

/** Why Redis refuses, undefined for any other error. */
export function redisRefusal(error: unknown): RedisRefusal | undefined {
  // BullMQ gives the errors of its own scripts a number, and names jobs in them. The id of a job may have any word.
  if (!(error instanceof Error) || ('code' in error && typeof error.code === 'number')) return undefined;
  return REFUSALS.find(({ answer }) => answer.test(error.message));
}
