import { z } from 'zod';

/** The schema, with one message for whatever is wrong: what was expected, in words for an operator. */
export function expecting<Schema extends z.ZodType>(expected: string, schema: Schema) {
  return z
    .unknown()
    .optional()
    .transform((value, context): z.output<Schema> => {
      const read = schema.safeParse(value);
      if (read.success) return read.data;
      context.addIssue({ code: 'custom', message: `expected ${expected}` });
      return z.NEVER;
    });
}

/** A whole number in an environment variable. */
export const wholeText = (least: number, most: number) =>
  z
    .string()
    .regex(/^\d{1,9}$/)
    .transform(Number)
    .refine((value) => value >= least && value <= most);

export const rangeOf = (least: number, most: number): string => `a whole number from ${least} to ${most}`;
