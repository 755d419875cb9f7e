import type { IJob, IJobExecution, IJobExecutionDetail, ISkippedItem } from '../../interfaces/job.js';

/** A job for people, line by line. */
export function jobLines({ name, description = '', parameters = [], lastExecution }: IJob): string[] {
  return [
    `${name}  ${description}`.trimEnd(),
    ...parameters.map(({ name: parameter, type, required, description: text = '' }) =>
      `  ${parameter}  ${type}${required ? ', required' : ''}  ${text}`.trimEnd(),
    ),
    `  last: ${lastExecution === undefined ? 'never started' : `${lastExecution.id} ${lastExecution.status}`}`,
  ].map(plain);
}

/** An execution in one line. */
export const executionLine = ({ id, job, status, exitCode, createdAt }: IJobExecution): string =>
  plain([id, job, status, exitCode, createdAt].join('  '));

/** An execution for people, line by line. */
export function executionLines(
  { id, job, status, exitCode, exitDescription, steps }: IJobExecutionDetail,
  skipped: readonly ISkippedItem[],
): string[] {
  return [
    `execution ${id} of ${job}: ${status}, exit code ${exitCode}`,
    ...(exitDescription === '' ? [] : [`  ${exitDescription}`]),
    ...steps.map((step) => {
      const { readCount, writeCount, filterCount, commitCount, rollbackCount } = step;
      const skips = step.readSkipCount + step.processSkipCount + step.writeSkipCount;
      const part = step.progress === undefined || step.status === 'COMPLETED' ? '' : `${percent(step.progress)}, `;
      return (
        `  ${step.name}: ${step.status}, ${part}${readCount} read, ${writeCount} written, ${filterCount} filtered, ` +
        `${skips} skipped, ${commitCount} commits, ${rollbackCount} rollbacks`
      );
    }),
    ...skipped.map(({ step, phase, error, message, item = '' }) =>
      `  skipped in ${step}, ${phase}: ${error}: ${message} ${item}`.trimEnd(),
    ),
  ].map(plain);
}

/** Rounded down: 100 % is what is complete. */
export const percent = (progress: number): string => `${Math.floor(progress * 100)} %`;

/** Data must not steer the terminal. */
// eslint-disable-next-line no-control-regex -- these are the characters to replace
const plain = (text: string): string => text.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, ' ');
