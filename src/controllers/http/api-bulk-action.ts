import { applyDecorators } from '@nestjs/common';
import { ApiAcceptedResponse, ApiBody, ApiExtraModels, ApiOkResponse, getSchemaPath } from '@nestjs/swagger';
import { ApiProblems, BODY_REFUSALS } from './api-problems.js';
import { BulkActionCountDto, BulkActionDto, BulkActionRequestDto } from './dto/bulk-action.dto.js';

export const BULK_DESCRIPTION =
  'The action runs in short steps, in the order of creation, and goes on after the answer if it takes longer than 1.5 s. ' +
  'With `dryRun` the operations are counted only.';

/** Body and answers of a request for all operations that match a filter. */
export function ApiBulkAction(): MethodDecorator {
  return applyDecorators(
    ApiExtraModels(BulkActionDto, BulkActionCountDto),
    ApiBody({ type: BulkActionRequestDto }),
    ApiOkResponse({
      description: 'It has ended; or the number of a dry run.',
      schema: { oneOf: [{ $ref: getSchemaPath(BulkActionDto) }, { $ref: getSchemaPath(BulkActionCountDto) }] },
    }),
    ApiAcceptedResponse({
      type: BulkActionDto,
      description: 'It goes on.',
      headers: { Location: { description: 'Where to read how far it is.', schema: { type: 'string' } } },
    }),
    ApiProblems('INVALID_REQUEST', 'INVALID_ID', 'COUNT_CHANGED', 'IDEMPOTENCY_CONFLICT', ...BODY_REFUSALS),
  );
}
