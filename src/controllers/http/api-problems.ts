import { applyDecorators } from '@nestjs/common';
import { ApiExtraModels, ApiResponse, getSchemaPath } from '@nestjs/swagger';
import type { ErrorCode } from '../../interfaces/error.js';
import { describeError } from '../../services/errors/error-catalog.js';
import { ProblemDto } from './dto/problem.dto.js';
import { problemType } from './filters/to-problem.js';

/** Problems of any request that needs a key where keys are required. */
const EVERYWHERE: readonly ErrorCode[] = [
  'API_KEY_REQUIRED',
  'INVALID_API_KEY',
  'SCOPE_REQUIRED',
  'HOST_NOT_ALLOWED',
  'RATE_LIMITED',
  'OVERLOADED',
  'SERVICE_UNAVAILABLE',
  'SHUTTING_DOWN',
  'INTERNAL_ERROR',
];

/** Problems for which intake refuses an operation. */
export const OPERATION_REFUSALS: readonly ErrorCode[] = [
  'INVALID_REQUEST',
  'INVALID_ID',
  'UNKNOWN_OPERATION_TYPE',
  'UNKNOWN_TARGET',
  'TARGET_NOT_ALLOWED',
  'SOURCE_NOT_ALLOWED',
  'UNKNOWN_COLUMN',
  'COLUMN_NOT_WRITABLE',
  'KEY_REQUIRED',
  'KEY_NOT_UNIQUE',
  'VALUES_REQUIRED',
  'INVALID_VALUE',
  'VALUE_OUT_OF_RANGE',
  'NOT_SUPPORTED',
  'IDEMPOTENCY_CONFLICT',
  'QUEUE_FULL',
  'LANE_BUSY',
  'PAUSED',
];

/** The description of an error: one example. */
interface DescribedProblem {
  code: ErrorCode;
  status: number;
  name: string;
  detail: string;
}

/** The only code that has a second status. */
const UNSUPPORTED_MEDIA_TYPE: DescribedProblem = {
  code: 'MALFORMED_MESSAGE',
  status: 415,
  name: 'MALFORMED_MESSAGE (Content-Type)',
  detail: 'Bodies are JSON; send the header Content-Type: application/json (it was text/plain)',
};

/** Problems of a POST, before its body is examined. */
export const BODY_REFUSALS: readonly (ErrorCode | DescribedProblem)[] = [
  'ORIGIN_NOT_ALLOWED',
  'MALFORMED_MESSAGE',
  'PAYLOAD_TOO_LARGE',
  UNSUPPORTED_MEDIA_TYPE,
];

/** Problems of a POST that takes no body. */
export const NO_BODY_REFUSALS: readonly (ErrorCode | DescribedProblem)[] = [
  ...BODY_REFUSALS,
  {
    code: 'INVALID_REQUEST',
    status: 400,
    name: 'INVALID_REQUEST (body)',
    detail: 'This request takes no body; it has the field "dryRun"',
  },
];

const DETAILS: Partial<Record<ErrorCode, string>> = {
  INVALID_REQUEST: 'The query is not valid: limit must be a whole number from 1 to 1000',
  INVALID_ID: "The id of an operation is a UUID, got '4711'",
  UNKNOWN_TARGET: 'There is no table "public.ordres"',
  TARGET_NOT_ALLOWED:
    'Operations on "batch.operations" are not allowed; BATCH_ALLOWED_TARGETS lists the allowed tables',
  SOURCE_NOT_ALLOWED: 'The API key does not allow operations of source "shop-a"; its sources are "shop-b"',
  UNKNOWN_COLUMN: 'public.orders has no column "totl"; did you mean "total"?',
  KEY_NOT_UNIQUE: '(status) is no primary key or unique constraint; the unique keys of public.orders are (id)',
  INVALID_VALUE: 'Column "total" of public.orders takes a number, got "much"',
  MALFORMED_MESSAGE: "The body is not JSON: Expected ',' or '}' after property value in JSON at position 61",
  PAYLOAD_TOO_LARGE: 'The body is larger than 16384 KiB; send fewer operations at once',
  IDEMPOTENCY_CONFLICT: 'The id belongs to an operation with another body; use a new id for a new operation',
  OPERATION_NOT_FOUND: "There is no operation '0198f2a0-3b1c-7d4e-9f50-6a7b8c9d0e1f'",
  CHUNK_NOT_FOUND: "There is no chunk '1207'",
  LANE_NOT_FOUND: 'Lane 17 is not blocked',
  PAUSE_NOT_FOUND: 'The target public.orders is neither paused nor drained',
  PARKED_MESSAGE_NOT_FOUND: "There is no parked message '0198f2a0-3b1c-7d4e-9f50-6a7b8c9d0e1f'",
  NOTIFICATION_NOT_FOUND: 'No notification of chunk 1207 is parked',
  NO_SUCH_JOB: 'There is no job "importOrder". Registered jobs: archiveOrders, importOrders.',
  NO_SUCH_JOB_EXECUTION: 'There is no job execution 4711',
  INVALID_JOB_PARAMETERS: 'Job "importOrders" was not started. Parameter "file" (string) is missing.',
  JOB_ALREADY_RUNNING: 'Job "importOrders" already runs with these parameters, as execution 42',
  JOB_INSTANCE_ALREADY_COMPLETE:
    'Job "importOrders" has already run with these identifying parameters: execution 42 is COMPLETED. Change an identifying parameter to run it again.',
  JOB_RESTART_REFUSED: 'Job "importOrders" is not restartable, and execution 42 is FAILED',
  JOB_NOT_RUNNING: 'Job execution 42 does not run: it is COMPLETED',
  JOB_STILL_RUNNING: 'Job execution 42 is STARTED. Stop it first.',
  QUEUE_FULL:
    '2000000 operations or more wait, as many as BATCH_MAX_BACKLOG allows; nothing was stored, send the request again in 5 s',
  OVERLOADED:
    'The service is answering requests of 131000 KiB; BATCH_MAX_IN_FLIGHT_KB allows 131072; nothing was begun, send the request again ' +
    'in a second',
  LANE_BUSY: 'A long chunk or another session holds lane 17. Nothing was changed; send the request again in a second',
  PAUSED:
    'An operator drains the target public.orders, so new operations for it are refused until DELETE pauses/target/public.orders; ' +
    'nothing was stored',
  API_KEY_REQUIRED:
    'An API key is required: send it in the header Authorization (Bearer) or X-API-Key over REST, in the field apiKey over TCP',
  INVALID_API_KEY: 'The API key is not valid',
  SCOPE_REQUIRED: 'This needs an API key of scope write',
  HOST_NOT_ALLOWED:
    'The service asks for no keys, so it does not answer under the domain name batch.example, but under localhost and addresses',
  ORIGIN_NOT_ALLOWED:
    'A web page of another origin sent this request (Sec-Fetch-Site: cross-site); such a page can change nothing, so nothing was done. ' +
    'Send it from a page of this service, or from a program',
  RATE_LIMITED:
    'The API key has made 10000 requests within 10000 ms; BATCH_RATE_LIMIT allows no more. Send the request again in 4 s',
  SERVICE_UNAVAILABLE: 'The database is out of reach; send the request again',
  INTERNAL_ERROR: 'The service failed; search its log for the request id to find the cause',
};

/** Describes the errors of an endpoint: one response for each status, one example for each code. */
export function ApiProblems(...problems: readonly (ErrorCode | DescribedProblem)[]): MethodDecorator {
  const byStatus = groupByStatus([...problems, ...EVERYWHERE]);
  return applyDecorators(
    ApiExtraModels(ProblemDto),
    ...[...byStatus].map(([status, group]) =>
      ApiResponse({
        status,
        description: group.map(({ code }) => `\`${code}\`: ${describeError(code).title}.`).join('\n\n'),
        content: {
          'application/problem+json': {
            schema: { $ref: getSchemaPath(ProblemDto) },
            examples: Object.fromEntries(group.map((problem) => [problem.name, { value: exampleOf(problem) }])),
          },
        },
        ...((status === 429 || status === 503) && {
          headers: { 'Retry-After': { description: 'Seconds.', schema: { type: 'integer' }, example: 2 } },
        }),
      }),
    ),
  );
}

function groupByStatus(problems: readonly (ErrorCode | DescribedProblem)[]): Map<number, DescribedProblem[]> {
  const groups = new Map<number, DescribedProblem[]>();
  for (const each of new Set(problems)) {
    const problem = typeof each === 'string' ? ordinaryProblem(each) : each;
    groups.set(problem.status, [...(groups.get(problem.status) ?? []), problem]);
  }
  return groups;
}

function ordinaryProblem(code: ErrorCode): DescribedProblem {
  const { title, httpStatus } = describeError(code);
  return { code, status: httpStatus, name: code, detail: DETAILS[code] ?? title };
}

function exampleOf({ code, status, detail }: DescribedProblem): object {
  return {
    type: problemType(code),
    title: describeError(code).title,
    status,
    detail,
    code,
    instance: '/api/v1/operations',
    requestId: '0198f2a0-4c2d-7aaa-8bbb-0c1d2e3f4a5b',
  };
}
