import type { Problem } from '../filters/to-problem.js';
import { ALL_ERROR_CODES } from '../../../services/errors/error-catalog.js';
import { Fields } from './fields.js';

/** An error over REST, as in RFC 9457. `code` and `details` are the same as over RPC. */
@Fields<Problem & { instance: string; requestId?: string }>({
  type: { description: 'Names the kind of problem.', example: 'urn:batch-service:problem:UNKNOWN_COLUMN' },
  title: { example: 'The table has no such column' },
  status: { description: 'The HTTP status.', example: 422 },
  detail: {
    description: 'Names the thing and the cure.',
    example: 'public.orders has no column "totl"; did you mean "total"?',
  },
  code: { enum: ALL_ERROR_CODES, enumName: 'ErrorCode', description: 'Stable.', example: 'UNKNOWN_COLUMN' },
  details: { optional: true, type: 'object', additionalProperties: true, example: { column: 'totl' } },
  instance: { description: 'The path of the request.', example: '/api/v1/operations' },
  requestId: {
    optional: true,
    description: 'Identifies the request in the log.',
    example: '0198f2a0-4c2d-7aaa-8bbb-0c1d2e3f4a5b',
  },
})
export class ProblemDto {}
