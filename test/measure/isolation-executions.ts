import type { SqlClient } from '../../src/interfaces/sql.js';
import { statementOf } from '../support/execute-alone.js';
import { ExecutorService } from '../../src/services/executor/executor.service.js';
import type { Plan } from '../../src/services/planner/plan.js';

export interface Figures {
  statements: number;
  failed: number;
}

/** A way of executing a plan, some operations of which the database refuses. */
export type Execute = (tx: SqlClient, plan: Plan) => Promise<Figures>;

const executor = new ExecutorService();

export const isolating: Execute = async (tx, plan) => {
  const { outcomes, statements } = await executor.execute(tx, plan);
  return { statements, failed: outcomes.filter(({ status }) => status === 'failed').length };
};

export const savepointsAwaited: Execute = async (tx, { operations }) => {
  let failed = 0;
  for (const operation of operations) {
    await tx.query({ text: 'savepoint one' });
    try {
      await tx.query(statementOf(operation));
      await tx.query({ text: 'release savepoint one' });
    } catch {
      failed += 1;
      await tx.query({ text: 'rollback to savepoint one' });
    }
  }
  return { statements: operations.length, failed };
};

/** All sent at once and taken back, since none can wait for how it went: for rows that are bad, the same work. */
export const savepointsPipelined: Execute = async (tx, { operations }) => {
  const commands: Promise<unknown>[] = [];
  const sent = operations.map((operation) => {
    commands.push(tx.query({ text: 'savepoint one' }));
    const done = tx.query(statementOf(operation));
    commands.push(tx.query({ text: 'rollback to savepoint one; release savepoint one' }));
    return done;
  });
  const results = await Promise.allSettled(sent);
  await Promise.all(commands);
  return { statements: operations.length, failed: results.filter(({ status }) => status === 'rejected').length };
};
