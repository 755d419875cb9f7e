import { z } from 'zod';

/** The queue, and the type of its jobs. The target of a job is the id of the order. */
export const PAYMENT_QUEUE = 'payment';

/** What a shop sends with an order. */
export const paymentSchema = z.object({
  /** In the smallest unit of the currency, such as cents. */
  amount: z.int().min(1).max(1_000_000_00),
  currency: z.enum(['EUR', 'USD']),
});

export type PaymentData = z.output<typeof paymentSchema>;
