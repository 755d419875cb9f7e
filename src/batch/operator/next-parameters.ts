import type { JobDefinition } from '../job/job-definition.js';
import { JobRestartError } from '../model/batch-error.js';
import {
  JobParameters,
  type JobParameter,
  type JobParameterDeclaration,
  type JobParametersInput,
} from '../model/job-parameters.js';

/**
 * The parameters of the next instance of a job: those of the last one, then those that are given, then what the incrementer makes. They
 * are checked like those of any start. A parameter of the last instance that the job does not declare any more is left out.
 *
 * @throws JobRestartError when the job has no incrementer; InvalidJobParametersError
 */
export function nextParameters<Tx>(
  { name, parameters: declared, incrementer }: JobDefinition<Tx>,
  last: JobParameters | undefined,
  given: JobParametersInput,
): JobParameters {
  if (incrementer === undefined) {
    throw new JobRestartError(
      `Job "${name}" has no incrementer, so its next instance is not known. Start it with parameters.`,
    );
  }
  const made = Object.entries(incrementer(last));
  const known = declared && { ...Object.fromEntries(made.map(declarationOf)), ...declared };
  const kept = (last?.entries() ?? []).filter(([each]) => known === undefined || Object.hasOwn(known, each));
  const input = { ...Object.fromEntries(kept), ...given, ...Object.fromEntries(made) };
  return JobParameters.read(name, input, known);
}

/** A job that declares its parameters need not declare those that its incrementer makes. */
const declarationOf = ([name, { type, identifying }]: [string, JobParameter]): [string, JobParameterDeclaration] => [
  name,
  { type, identifying },
];
