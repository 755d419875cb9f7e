import type { JobParametersInput, JobParameterValue } from '../../batch/model/job-parameters.js';
import { ServiceError } from '../../services/errors/service-error.js';
import { ExactJson } from '../../services/values/exact-json.js';

export interface StartRequest {
  parameters: JobParametersInput;
  nextInstance: boolean;
}

/**
 * Reads the body of a request that starts a job. The job itself checks names and types of the parameters.
 *
 * @throws ServiceError INVALID_REQUEST
 */
export function readStartRequest(body: unknown): StartRequest {
  const given = body ?? {};
  if (!isObject(given)) throw invalid('The body must be an object such as { "parameters": { "file": "orders.csv" } }');
  for (const name of Object.keys(given)) {
    if (name !== 'parameters' && name !== 'nextInstance') {
      throw invalid(`The body has the unknown field "${name}"; it may have parameters and nextInstance`, name);
    }
  }
  const { parameters = {}, nextInstance = false } = given;
  if (!isObject(parameters)) throw invalid('parameters must be an object of values by name', 'parameters');
  if (typeof nextInstance !== 'boolean') throw invalid('nextInstance must be true or false', 'nextInstance');
  return {
    parameters: Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, readValue(name, value)])),
    nextInstance,
  };
}

function readValue(name: string, value: unknown): JobParameterValue {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
  // A number that JavaScript would change. The job refuses it where it needs an exact one.
  if (value instanceof ExactJson && value.kind === 'number') return value.text;
  throw invalid(`Parameter "${name}" must be a text, a number, true or false`, name);
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof ExactJson);

const invalid = (message: string, parameter?: string): ServiceError =>
  new ServiceError('INVALID_REQUEST', message, parameter === undefined ? undefined : { parameter });
