import { expect, it } from 'vitest';
import { redisRefusal } from '../../../src/worker/queue/redis-refusal.js';

it.each([
  ["READONLY You can't write against a read only replica. script: c35baf, on @user_script:1.", 'READONLY', true],
  ["ERR Error running script (call to f_c35baf): @user_script:12: -READONLY You can't write", 'READONLY', true],
  ['UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)', 'READONLY', true],
  ['MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to no.', 'MASTERDOWN', true],
  ['Ready check failed: LOADING Redis is loading the dataset in memory', 'LOADING', true],
  ["OOM command not allowed when used memory > 'maxmemory'.", 'OOM', true],
  ['@user_script: 12: OOM command not allowed', 'OOM', true],
  ['MISCONF Redis is configured to save RDB snapshots, but', 'MISCONF', true],
  ['NOREPLICAS Not enough good replicas to write.', 'NOREPLICAS', true],
  ['BUSY Redis is busy running a script.', 'BUSY', true],
  ['ERR max number of clients reached', 'MAXCLIENTS', true],
  ['Ready check failed: NOAUTH Authentication required.', 'NOAUTH', false],
  ['WRONGPASS invalid username-password pair or user is disabled.', 'WRONGPASS', false],
  ['ERR invalid password', 'WRONGPASS', false],
  ["NOPERM this user has no permissions to run the 'set' command", 'NOPERM', false],
  ['DENIED Redis is running in protected mode because', 'DENIED', false],
])('%s: is %s', (message, code, passes) => {
  expect(redisRefusal(new Error(message))).toMatchObject({ code, passes });
});

it.each(['Missing lock for job 1. moveToFinished', 'connect ECONNREFUSED 127.0.0.1:6379', 'ERR unknown command'])(
  '%s is no refusal of the server',
  (message) => expect(redisRefusal(new Error(message))).toBeUndefined(),
);

it('is not found in the id of a job, which BullMQ names in an error with a number', () => {
  const error = Object.assign(new Error('Missing lock for job OOM/42. moveToFinished'), { code: -2 });
  expect(redisRefusal(error)).toBeUndefined();
});
