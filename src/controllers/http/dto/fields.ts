import { ApiProperty, type ApiPropertyOptions } from '@nestjs/swagger';

/** A field of `T` that may be absent has to say so. */
type FieldsOf<T> = {
  [Name in keyof T]-?: object extends Pick<T, Name>
    ? ApiPropertyOptions & { optional: true }
    : ApiPropertyOptions & { optional?: never };
};

/**
 * What Swagger shows of a class that describes an answer. The compiler compares it with `T`, the interface of that
 * answer, field by field. Without `type` or `enum`, the type of a field is that of its example.
 */
export function Fields<T>(fields: FieldsOf<T>): ClassDecorator {
  return ({ prototype }) => {
    for (const [name, field] of Object.entries<ApiPropertyOptions & { optional?: boolean }>(fields)) {
      const { optional = false, ...shown } = field;
      const type = 'type' in field || 'enum' in field ? {} : { type: typeof field.example };
      ApiProperty({ ...shown, ...type, required: !optional } as ApiPropertyOptions)(prototype as object, name);
    }
  };
}
