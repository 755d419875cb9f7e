// `node summary.mjs REPORT STATUS`: prints `N passed, N failed` (and what was skipped) from vitest's JSON report and exit
// status, alone on the last line.
// Exit status: 0 only if tests ran and none failed.
import { readFileSync } from 'node:fs';

const report = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const passed = report.numPassedTests;
const skipped = report.numPendingTests + report.numTodoTests;
// A file that could not be loaded has no failed test, and has failed all the same.
const brokenFiles = report.testResults.filter(
  ({ status, assertionResults }) => status === 'failed' && !assertionResults.some((test) => test.status === 'failed'),
).length;
// An error outside every test (an unhandled rejection) fails the run as well.
const elsewhere = report.numFailedTests + brokenFiles === 0 && process.argv[3] !== '0' ? 1 : 0;
const failed = report.numFailedTests + brokenFiles + elsewhere;

console.log(`\n${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
process.exitCode = passed > 0 && failed === 0 ? 0 : 1;
