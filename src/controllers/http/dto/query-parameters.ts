import { ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsInt, IsOptional, IsString, Max, MaxLength, Min } from 'class-validator';

interface IntegerRange {
  minimum: number;
  maximum: number;
  default: number;
  description: string;
  /** For the message: a whole number of what. */
  unit?: string;
}

/** An optional whole number of a query. It has no example: the form of the documentation would send it. */
export function IntegerParameter({ unit, ...range }: IntegerRange): PropertyDecorator {
  const { minimum, maximum } = range;
  return (prototype, property) => {
    const of = unit === undefined ? '' : ` of ${unit}`;
    const rule = { message: `${String(property)} must be a whole number${of} from ${minimum} to ${maximum}` };
    ApiPropertyOptional({ type: 'integer', ...range })(prototype, property);
    IsOptional()(prototype, property);
    Type(() => Number)(prototype, property);
    IsInt(rule)(prototype, property);
    Min(minimum, rule)(prototype, property);
    Max(maximum, rule)(prototype, property);
  };
}

/** Where a page begins. */
export function CursorParameter(longest: number): PropertyDecorator {
  return (prototype, property) => {
    ApiPropertyOptional({ description: '`nextCursor` of the previous page. Absent for the first page.' })(
      prototype,
      property,
    );
    IsOptional()(prototype, property);
    IsString()(prototype, property);
    MaxLength(longest)(prototype, property);
  };
}
