import { IsInt, IsString, Max, MaxLength, Min, ValidateIf } from 'class-validator';

export const MAX_PAGE = 1000;
export const MAX_CURSOR_LENGTH = 200;

const LIMIT = { message: `'limit' must be a whole number from 1 to ${MAX_PAGE}` };
const CURSOR = { message: `'cursor' must be the nextCursor of an answer` };

/** `null` is no number: for PostgreSQL it would mean a page without a limit. */
const isGiven = (_: object, value: unknown): boolean => value !== undefined;

/** The payload of an RPC that lists something. In JSON a number is a number, and no text as in a query. */
export class PageDto {
  @ValidateIf(isGiven)
  @IsInt(LIMIT)
  @Min(1, LIMIT)
  @Max(MAX_PAGE, LIMIT)
  limit?: number;

  @ValidateIf(isGiven)
  @IsString(CURSOR)
  @MaxLength(MAX_CURSOR_LENGTH, CURSOR)
  cursor?: string;
}
