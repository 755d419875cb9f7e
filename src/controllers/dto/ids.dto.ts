import { ApiProperty } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import { IsInt, IsString, Matches, Max, Min, ValidateBy, ValidateIf } from 'class-validator';
import { LANES } from '../../services/queue/assign-lanes.js';

/** The pipe adds the value after this. class-validator would replace tokens such as `$property` in the value. */
export const GIVEN = ', got ';

export const MAX_WAIT_MS = 30_000;
const DEFAULT_WAIT_MS = 10_000;
const WAIT = { message: `'timeoutMs' must be a whole number of milliseconds from 0 to ${MAX_WAIT_MS}` };

export const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const LARGEST_BIGINT = 2n ** 63n - 1n;

/** Names an operation, in lower case, as it is stored. */
export class OperationIdDto {
  @ApiProperty({
    description: 'The UUID of the operation.',
    format: 'uuid',
    example: '0198f2a0-3b1c-7d4e-9f50-6a7b8c9d0e1f',
  })
  @Transform(({ value }: { value: unknown }) => (isUuid(value) ? value.toLowerCase() : value))
  @Matches(UUID, {
    message: `The id of an operation must be a UUID${GIVEN}`,
    context: { code: 'INVALID_ID' },
  })
  @Must((value) => value !== undefined, 'The request names no operation; expected { "id": "<uuid>" }')
  id!: string;
}

/** Names a bulk action. */
export class BulkActionIdDto {
  @ApiProperty({
    description: 'The UUID of the bulk action.',
    format: 'uuid',
    example: '0198f2a0-3b1c-7d4e-9f50-6a7b8c9d0e1f',
  })
  @Transform(({ value }: { value: unknown }) => (isUuid(value) ? value.toLowerCase() : value))
  @Matches(UUID, { message: `The id of a bulk action must be a UUID${GIVEN}`, context: { code: 'INVALID_ID' } })
  @Must((value) => value !== undefined, 'The request names no bulk action; expected { "id": "<uuid>" }')
  id!: string;
}

/** The payload of an RPC that waits for an operation. */
export class WaitForOperationDto extends OperationIdDto {
  @ValidateIf((_, value) => value !== undefined)
  @IsInt(WAIT)
  @Min(0, WAIT)
  @Max(MAX_WAIT_MS, WAIT)
  timeoutMs: number = DEFAULT_WAIT_MS;
}

export class ChunkIdDto {
  @ApiProperty({ description: 'The number of the chunk: `chunkId` of an operation.' })
  @Must(isBigint, `The id of a chunk must be a number${GIVEN}`)
  id!: string;
}

export class ChunkGroupIdDto extends ChunkIdDto {
  @ApiProperty({ type: 'integer', minimum: 0, description: 'The place of the group in `plan.groups` of the chunk.' })
  @Transform(({ value }: { value: string }) => (/^\d{1,6}$/.test(value) ? Number(value) : value))
  @IsInt({ message: `A group must be a number${GIVEN}` })
  group!: number;
}

export class JobNameDto {
  @ApiProperty({ description: 'The name of the job.', example: 'importOrders' })
  @IsString()
  name!: string;
}

export class JobExecutionIdDto {
  @ApiProperty({ description: 'The number of the execution.' })
  @Must(isBigint, `The id of a job execution must be a number${GIVEN}`)
  id!: string;
}

export class ParkedMessageIdDto {
  @ApiProperty({ description: 'The id that the message got when it was parked.' })
  @Must((value) => isUuid(value), `The id of a parked message must be a UUID${GIVEN}`)
  id!: string;
}

export class LaneDto {
  @ApiProperty({ type: 'integer', minimum: 0, maximum: LANES - 1, example: 17 })
  @Transform(({ value }: { value: string }) =>
    /^\d{1,2}$/.test(value) && Number(value) < LANES ? Number(value) : value,
  )
  @IsInt({ message: `A lane must be a number from 0 to ${LANES - 1}${GIVEN}` })
  lane!: number;
}

const isUuid = (value: unknown): value is string => typeof value === 'string' && UUID.test(value);

function isBigint(value: unknown): boolean {
  return typeof value === 'string' && /^\d{1,19}$/.test(value) && BigInt(value) <= LARGEST_BIGINT;
}

/** Put it lowest among the rules of a field: class-validator checks the lowest rule first. */
function Must(holds: (value: unknown) => boolean, message: string): PropertyDecorator {
  return ValidateBy({ name: 'must', validator: { validate: holds } }, { message });
}
