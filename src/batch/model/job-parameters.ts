import { createHash } from 'node:crypto';
import { JOB_PARAMETER_TYPES, type JobParameterType } from '../../interfaces/job.js';
import { InvalidJobParametersError } from './batch-error.js';

export { JOB_PARAMETER_TYPES, type JobParameterType };
export type JobParameterValue = string | number | boolean | Date;

export interface JobParameter {
  readonly value: JobParameterValue;
  readonly type: JobParameterType;
  /** Two starts with equal identifying parameters are starts of the same job instance. */
  readonly identifying: boolean;
}

/** What a job says of one of its parameters. */
export interface JobParameterDeclaration {
  /** `file`: the path of a file that is read. A process that runs jobs refuses a start when it cannot read the file. */
  type: JobParameterType;
  /** Default: false. */
  required?: boolean;
  /** Default: true. */
  identifying?: boolean;
  /** Taken when the parameter is not given. */
  default?: JobParameterValue;
  /** The only values that are allowed. */
  choices?: readonly JobParameterValue[];
  description?: string;
}

export type JobParameterDeclarations = Readonly<Record<string, JobParameterDeclaration>>;

/** A value, or a value that says whether it identifies the instance. */
export type JobParametersInput = Readonly<
  Record<string, JobParameterValue | { value: JobParameterValue; identifying?: boolean }>
>;

/** The parameters of one execution, by name. Immutable. */
export class JobParameters {
  constructor(private readonly byName: ReadonlyMap<string, JobParameter> = new Map()) {}

  /**
   * Reads what a caller gave. Texts, as a command line has them, become what the job has declared.
   *
   * @param declared undefined when the job takes any parameters
   * @throws InvalidJobParametersError with every fault
   */
  static read(job: string, input: JobParametersInput, declared?: JobParameterDeclarations): JobParameters {
    const faults: string[] = [];
    const byName = new Map<string, JobParameter>();
    const declarations = new Map(Object.entries(declared ?? {}));
    const names = [...declarations.keys()].join(', ') || 'none';
    for (const [name, given] of Object.entries(input)) {
      const declaration = declarations.get(name);
      if (declared !== undefined && declaration === undefined) {
        faults.push(`It has no parameter "${name}"; it has: ${names}`);
        continue;
      }
      const read = readParameter(name, given, declaration);
      if (typeof read === 'string') faults.push(read);
      else byName.set(name, read);
    }
    for (const [name, { type, required, default: value, identifying = true }] of declarations) {
      if (byName.has(name) || Object.hasOwn(input, name)) continue;
      if (value !== undefined) byName.set(name, { value, type, identifying });
      else if (required === true) faults.push(`Parameter "${name}" (${type}) is missing`);
    }
    if (faults.length > 0) throw new InvalidJobParametersError(job, faults);
    return new JobParameters(byName);
  }

  get(name: string): JobParameterValue | undefined {
    return this.byName.get(name)?.value;
  }

  entries(): [string, JobParameter][] {
    return [...this.byName];
  }

  /** The same parameters, and these. A parameter of the same name is replaced. */
  with(others: Readonly<Record<string, JobParameter>>): JobParameters {
    return new JobParameters(new Map([...this.byName, ...Object.entries(others)]));
  }

  /** Equal for equal identifying parameters, whatever their order: 64 hexadecimal digits. */
  get key(): string {
    const identifying = [...this.byName]
      .filter(([, parameter]) => parameter.identifying)
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([name, { type, value }]) => [name, type, textOf(value)]);
    return createHash('sha256').update(JSON.stringify(identifying)).digest('hex');
  }

  /** As it is stored. `fromJSON` reads it back. */
  toJSON(): Record<string, { type: JobParameterType; value: string; identifying: boolean }> {
    return Object.fromEntries(
      [...this.byName].map(([name, { type, value, identifying }]) => [
        name,
        { type, value: textOf(value), identifying },
      ]),
    );
  }

  static fromJSON(stored: ReturnType<JobParameters['toJSON']>): JobParameters {
    return new JobParameters(
      new Map(
        Object.entries(stored).map(([name, { type, value, identifying }]) => [
          name,
          { type, value: valueOf(value, type)!, identifying },
        ]),
      ),
    );
  }
}

/** Returns the fault as a sentence when the value does not fit. */
function readParameter(
  name: string,
  given: JobParametersInput[string],
  declaration: JobParameterDeclaration | undefined,
): JobParameter | string {
  const { value, identifying = declaration?.identifying ?? true } = isValue(given) ? { value: given } : given;
  const type = declaration?.type ?? typeOf(value);
  const read = valueOf(value, type);
  if (read === undefined) return `Parameter "${name}" must be ${MEANING[type]}, and is ${JSON.stringify(value)}`;
  const choices = declaration?.choices;
  if (choices !== undefined && !choices.some((choice) => textOf(choice) === textOf(read))) {
    return `Parameter "${name}" must be one of ${choices.map(textOf).join(', ')}, and is ${JSON.stringify(value)}`;
  }
  return { value: read, type, identifying };
}

const MEANING: Record<JobParameterType, string> = {
  string: 'a text',
  integer: 'a whole number up to 2^53',
  number: 'a number',
  boolean: 'true or false',
  date: 'a time in ISO 8601, such as 2026-05-01 or 2026-05-01T12:00:00Z',
  file: 'the path of a file',
};

const isValue = (given: JobParametersInput[string]): given is JobParameterValue =>
  typeof given !== 'object' || given === null || given instanceof Date;

function typeOf(value: JobParameterValue): JobParameterType {
  if (value instanceof Date) return 'date';
  if (typeof value === 'number') return Number.isSafeInteger(value) ? 'integer' : 'number';
  return typeof value === 'boolean' ? 'boolean' : 'string';
}

/** Undefined when the value is none of this type. */
function valueOf(value: unknown, type: JobParameterType): JobParameterValue | undefined {
  switch (type) {
    case 'string':
      return typeof value === 'string' ? value : undefined;
    case 'file':
      return typeof value === 'string' && value !== '' ? value : undefined;
    case 'integer': {
      const number = toNumber(value);
      return Number.isSafeInteger(number) ? number : undefined;
    }
    case 'number': {
      const number = toNumber(value);
      return Number.isFinite(number) ? number : undefined;
    }
    case 'boolean':
      return value === true || value === 'true' ? true : value === false || value === 'false' ? false : undefined;
    case 'date': {
      const date =
        value instanceof Date ? value : typeof value === 'string' && ISO_DATE.test(value) ? new Date(value) : undefined;
      return date === undefined || Number.isNaN(date.getTime()) ? undefined : date;
    }
    default:
      return type satisfies never;
  }
}

const ISO_DATE = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})?)?$/;

const toNumber = (value: unknown): number =>
  typeof value === 'number' ? value : typeof value === 'string' && value.trim() !== '' ? Number(value) : NaN;

const textOf = (value: JobParameterValue): string => (value instanceof Date ? value.toISOString() : String(value));
