import type { JobExecution } from '../../batch/model/job-execution.js';
import { describeJobs, toExecution, toExecutionDetail, toSkippedItem } from '../../jobs/job-answers.js';
import type { Settings } from '../../services/config/settings.js';
import { explain, say } from '../run-command.js';
import { executionLine, executionLines, jobLines } from './describe-execution.js';
import type { JobCommand } from './job-command.js';
import { withJobs, type Jobs } from './open-jobs.js';
import { runHere } from './run-here.js';

const LATEST = 20;
const SHOWN_SKIPS = 10;

/** Returns the exit code of the process. */
export async function executeJobCommand(settings: Settings, command: JobCommand): Promise<number> {
  const runsJobs = 'wait' in command && command.wait;
  let exitCode = 0;
  await withJobs(settings, { runsJobs, takesOver: false, schedules: false }, async (jobs) => {
    exitCode = await execute(jobs, command);
  });
  return exitCode;
}

async function execute(jobs: Jobs, command: JobCommand): Promise<number> {
  const { operator, repository, registry } = jobs;
  switch (command.kind) {
    case 'list':
      for (const job of await describeJobs(registry, repository)) {
        await say(command.json ? JSON.stringify(job) : jobLines(job).join('\n'));
      }
      return 0;
    case 'executions': {
      const found = await repository.findExecutions({ jobName: command.job, limit: LATEST });
      if (found.length === 0 && command.job !== undefined) registry.get(command.job);
      for (const execution of found.map(toExecution)) {
        await say(command.json ? JSON.stringify(execution) : executionLine(execution));
      }
      return 0;
    }
    case 'show':
      await print(jobs, await operator.find(command.id), command.json);
      return 0;
    case 'stop':
      await endLeftBehind(jobs);
      await operator.stop(command.id);
      explain(`Execution ${command.id} was asked to stop; it stops after its chunk`);
      return 0;
    case 'abandon':
      await endLeftBehind(jobs);
      await operator.abandon(command.id);
      explain(`Execution ${command.id} is abandoned; its instance never runs again`);
      return 0;
    case 'restart':
      return begin(jobs, () => operator.restart(command.id), command);
    case 'start': {
      const { job, parameters, next } = command;
      const start = () => (next ? operator.startNextInstance(job, parameters) : operator.start(job, parameters));
      return begin(jobs, start, command);
    }
    default:
      return command satisfies never;
  }
}

async function begin(
  jobs: Jobs,
  start: () => Promise<JobExecution>,
  { wait, json }: { wait: boolean; json: boolean },
): Promise<number> {
  await endLeftBehind(jobs);
  if (wait) {
    const ended = await runHere(jobs, start);
    await print(jobs, ended, json);
    if (ended.status === 'STOPPED' || ended.status === 'FAILED') {
      explain(`Execution ${ended.id} is ${ended.status}. To go on: npm run --silent job -- restart ${ended.id} --wait`);
    }
    return exitCodeOf(ended);
  }
  const execution = await start();
  await say(json ? JSON.stringify(toExecution(execution)) : execution.id);
  explain(
    `A running service of role all or worker runs execution ${execution.id}; \`show ${execution.id}\` tells how far it is`,
  );
  return 0;
}

/** Nobody else does it where no service runs. */
async function endLeftBehind({ repository }: Jobs): Promise<void> {
  for (const { id } of await repository.failExpired('The process that ran it has gone')) {
    explain(`The process of execution ${id} has gone; it may be restarted`);
  }
}

function exitCodeOf({ exitStatus: { code } }: JobExecution): number {
  if (code === 'COMPLETED' || code === 'NOOP') return 0;
  return code === 'STOPPED' ? 3 : 1;
}

async function print({ repository }: Jobs, execution: JobExecution, json: boolean): Promise<void> {
  const detail = toExecutionDetail(execution, await repository.stepExecutions(execution.id));
  const skippedItems = (await repository.skippedItems(execution.id, { limit: SHOWN_SKIPS })).map(toSkippedItem);
  if (json) return say(JSON.stringify({ ...detail, skippedItems }));
  for (const line of executionLines(detail, skippedItems)) await say(line);
}
