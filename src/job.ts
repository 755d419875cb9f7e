import { JOB_USAGE, parseJobCommand } from './bootstrap/job/job-command.js';
import { withDatabase } from './bootstrap/embedded-database.js';
import { readSettings } from './bootstrap/read-settings.js';
import { runCommand } from './bootstrap/run-command.js';

// `node dist/job.js list | start | executions | show | stop | restart | abandon`: batch jobs. The command line and the settings are
// checked before the engine is loaded, to report faults at once.

await runCommand(JOB_USAGE, async (args) => {
  const command = parseJobCommand(args);
  await withDatabase(readSettings(), async (settings) => {
    const { executeJobCommand } = await import('./bootstrap/job/execute-job-command.js');
    process.exitCode = await executeJobCommand(settings, command);
  });
});
