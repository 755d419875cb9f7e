import { readOptions, refuseOtherOptions, unknownCommand, UsageError } from '../run-command.js';

/** How an execution is begun. */
export interface BeginOptions {
  /** True: in this process, to its end. */
  wait: boolean;
  json: boolean;
}

export type JobCommand =
  | ({ kind: 'start'; job: string; parameters: Record<string, string>; next: boolean } & BeginOptions)
  | ({ kind: 'restart'; id: string } & BeginOptions)
  | { kind: 'list'; json: boolean }
  | { kind: 'executions'; job: string | undefined; json: boolean }
  | { kind: 'show' | 'stop' | 'abandon'; id: string; json: boolean };

export const JOB_USAGE = `Usage: npm run --silent job -- <command>
  list                                the jobs, their parameters and their last executions
  start <job> [<name>=<value> …]      starts a job, or restarts its instance where that failed or was stopped; prints the id
  executions [<job>]                  the latest executions
  show <id>                           an execution: its steps, what they counted, why it ended, the first skipped items
  stop <id>                           stops an execution after its chunk, wherever it runs
  restart <id>                        goes on with an execution that failed or was stopped
  abandon <id>                        gives an execution up: its instance never runs again

  --wait   with start and restart: runs the job in this process and shows its progress; Ctrl-C stops it after its chunk.
           Default: a running service of role all or worker runs it
  --next   with start: starts the next instance, with the parameters of the last one, but for those given
  --json   prints JSON, one line for each job or execution

Ends with 0 when the command did its work, and with --wait when the exit code of the job is COMPLETED or NOOP;
with 1 when something was refused or failed (the code and the reason are on stderr), and for every other exit code of the job;
with 2 when the command line is wrong; with 3 when the job was stopped. In production: node dist/job.js …
`;

const FLAGS = ['wait', 'next', 'json'] as const;
type Flag = (typeof FLAGS)[number];

/** @throws UsageError */
export function parseJobCommand(args: readonly string[]): JobCommand {
  const [kind, ...rest] = args;
  switch (kind) {
    case 'list': {
      const { words, json } = read(kind, rest, ['json']);
      if (words.length > 0) throw new UsageError('list takes no arguments');
      return { kind, json };
    }
    case 'executions': {
      const { words, json } = read(kind, rest, ['json']);
      if (words.length > 1) throw new UsageError('executions takes the name of one job');
      return { kind, job: words[0], json };
    }
    case 'show':
    case 'stop':
    case 'abandon': {
      const { words, json } = read(kind, rest, ['json']);
      return { kind, id: onlyId(kind, words), json };
    }
    case 'restart': {
      const { words, wait, json } = read(kind, rest, ['wait', 'json']);
      return { kind, id: onlyId(kind, words), wait, json };
    }
    case 'start': {
      const { words, ...flags } = read(kind, rest, FLAGS);
      const [job, ...parameters] = words;
      if (job === undefined) throw new UsageError('start takes the name of a job, which `list` shows');
      return { kind, job, parameters: parseParameters(parameters), ...flags };
    }
    default:
      return unknownCommand(kind);
  }
}

function read(kind: string, args: string[], allowed: readonly Flag[]): { words: string[] } & Record<Flag, boolean> {
  const options = { wait: { type: 'boolean' }, next: { type: 'boolean' }, json: { type: 'boolean' } } as const;
  const { values, positionals: words } = readOptions({ args, options, allowPositionals: true });
  refuseOtherOptions(kind, values, allowed);
  const { wait = false, next = false, json = false } = values;
  return { words, wait, next, json };
}

function onlyId(kind: string, words: readonly string[]): string {
  const [id] = words;
  if (id !== undefined && words.length === 1 && /^\d+$/.test(id)) return id;
  throw new UsageError(`${kind} takes the id of one execution, a number that \`executions\` shows`);
}

/** Values are texts. The engine makes of them what the job has declared. */
function parseParameters(words: readonly string[]): Record<string, string> {
  const parameters = new Map<string, string>();
  for (const word of words) {
    const at = word.indexOf('=');
    if (at < 1) throw new UsageError(`A parameter is given as <name>=<value>, not as '${word}'`);
    const name = word.slice(0, at);
    if (parameters.has(name)) throw new UsageError(`Parameter '${name}' is given twice`);
    parameters.set(name, word.slice(at + 1));
  }
  return Object.fromEntries(parameters);
}
