import { z } from 'zod';

/** The queue of outcomes, and the type of its jobs. The target of a job is the id of the order. */
export const OUTCOME_QUEUE = 'payment-outcome';

/** What the shop is told of an order. `failed`: nobody knows whether it was charged; a person has to look. */
export const outcomeSchema = z.discriminatedUnion('status', [
  z.object({ status: z.literal('charged'), chargeId: z.string() }),
  z.object({ status: z.literal('declined'), reason: z.string() }),
  z.object({ status: z.literal('failed'), reason: z.string() }),
]);

export type Outcome = z.output<typeof outcomeSchema>;
