import type { StandardSchemaV1 } from '@standard-schema/spec';
import { UnrecoverableError } from 'bullmq';

const MOST_ISSUES = 10;

/** The data of a job does not fit the schema of its processor. Another attempt would find the same data. */
export class DataInvalidError extends UnrecoverableError {
  readonly code = 'DATA_INVALID';

  constructor(issues: readonly StandardSchemaV1.Issue[]) {
    const shown = issues.slice(0, MOST_ISSUES).map(({ path = [], message }) => {
      const at = path.map((part) => String(typeof part === 'object' ? part.key : part)).join('.');
      return at === '' ? message : `${at}: ${message}`;
    });
    const more = issues.length > MOST_ISSUES ? [`and ${issues.length - MOST_ISSUES} more`] : [];
    super(`The data of the job does not fit: ${[...shown, ...more].join('; ')}`);
  }
}

/** @throws DataInvalidError */
export async function validData<Data>(
  schema: StandardSchemaV1<unknown, Data> | undefined,
  data: unknown,
): Promise<Data> {
  if (schema === undefined) return data as Data;
  const result = await schema['~standard'].validate(data);
  if (result.issues !== undefined) throw new DataInvalidError(result.issues);
  return result.value;
}
