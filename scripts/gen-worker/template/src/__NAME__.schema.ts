import { z } from 'zod';

/** What the data of a job must be. A job whose data does not fit is kept with the reason, and not tried again. */
export const __CAMEL__Schema = z.object({
  text: z.string().min(1).max(1000),
});

export type __CLASS__Data = z.output<typeof __CAMEL__Schema>;
