import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import type { ErrorCode } from '../../../interfaces/error.js';
import type { Json } from '../../../interfaces/json.js';
import { ALL_ERROR_CODES } from '../../../services/errors/error-catalog.js';

/** An error over REST, as in RFC 9457. `code` and `details` are the same as over RPC. */
export class ProblemDto {
  @ApiProperty({ description: 'Names the kind of problem.', example: 'urn:batch-service:problem:UNKNOWN_COLUMN' })
  type!: string;

  @ApiProperty({ example: 'The table has no such column' })
  title!: string;

  @ApiProperty({ description: 'The HTTP status.', example: 422 })
  status!: number;

  @ApiProperty({
    description: 'Names the thing and the cure.',
    example: 'public.orders has no column "totl"; did you mean "total"?',
  })
  detail!: string;

  @ApiProperty({ enum: ALL_ERROR_CODES, enumName: 'ErrorCode', description: 'Stable.', example: 'UNKNOWN_COLUMN' })
  code!: ErrorCode;

  @ApiPropertyOptional({ type: 'object', additionalProperties: true, example: { column: 'totl' } })
  details?: Readonly<Record<string, Json>>;

  @ApiProperty({ description: 'The path of the request.', example: '/api/v1/operations' })
  instance!: string;

  @ApiPropertyOptional({
    description: 'Identifies the request in the log.',
    example: '0198f2a0-4c2d-7aaa-8bbb-0c1d2e3f4a5b',
  })
  requestId?: string;
}
