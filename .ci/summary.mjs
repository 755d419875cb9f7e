// `node summary.mjs COMMANDS`: what became of the commands of a run, each failed one by its name, then `N passed, N failed`
// (and what was skipped), alone on the last line.
// COMMANDS is a file with a line for each: its exit status, its name and, of vitest, its JSON report, with tabs in between.
// A command counts as one; with a report its tests count instead.
// Exit status: 0 only if something passed and nothing failed.
import { existsSync, readFileSync } from 'node:fs';

const commands = readFileSync(process.argv[2], 'utf8').trim().split('\n').map(readCommand);
const sum = (count) => commands.reduce((total, command) => total + command[count], 0);
const [passed, failed, skipped] = [sum('passed'), sum('failed'), sum('skipped')];

console.log();
for (const command of commands.filter((each) => each.failed > 0)) console.log(`Failed: ${command.name}`);
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
process.exitCode = passed > 0 && failed === 0 ? 0 : 1;

function readCommand(line) {
  const [status, name, report] = line.split('\t');
  if (report === undefined) return { name, passed: status === '0' ? 1 : 0, failed: status === '0' ? 0 : 1, skipped: 0 };
  // Without a report vitest did not come as far as its tests.
  const counts = existsSync(report) ? countTests(report) : { passed: 0, failed: 0, skipped: 0 };
  const { passed, failed } = counts;
  // An error outside every test (an unhandled rejection) fails a run as well, and so does a run of nothing.
  return { name, ...counts, failed: failed === 0 && (status !== '0' || passed === 0) ? 1 : failed };
}

function countTests(report) {
  const { numPassedTests, numFailedTests, numPendingTests, numTodoTests, testResults } = JSON.parse(
    readFileSync(report, 'utf8'),
  );
  // A file that could not be loaded has no failed test, and has failed all the same.
  const brokenFiles = testResults.filter(
    ({ status, assertionResults }) => status === 'failed' && !assertionResults.some((test) => test.status === 'failed'),
  ).length;
  return { passed: numPassedTests, failed: numFailedTests + brokenFiles, skipped: numPendingTests + numTodoTests };
}
