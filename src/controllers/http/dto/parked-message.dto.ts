import type { IParkedMessage, IParkedMessages } from '../../../interfaces/parked-message.js';
import { Fields } from './fields.js';

@Fields<IParkedMessage>({
  id: { description: 'It got this id when it was parked.', example: '0198f2a0-3b1c-7d4e-9f50-6a7b8c9d0e1f' },
  messageId: { optional: true, description: "The sender's id, if it has one.", example: 'order-4711' },
  code: { description: 'Why it was parked.', example: 'UNKNOWN_TARGET' },
  reason: { example: 'There is no table "public.ordres"' },
  parkedAt: { format: 'date-time', example: '2026-01-01T08:00:00.000Z' },
  body: { description: 'Its beginning, at most 4 KiB of it.', example: '{"pattern":"create_operation","data":{}}' },
  bodyEncoding: { enum: ['utf-8', 'base64'], description: 'base64 where the body is not UTF-8.', example: 'utf-8' },
  bodyBytes: { description: 'The size of the whole body.', example: 40 },
  bodyIsComplete: { description: 'False: `body` is only the beginning.', example: true },
})
export class ParkedMessageDto {}

@Fields<IParkedMessages>({
  items: { type: [ParkedMessageDto], description: 'The oldest first.' },
  nextCursor: {
    optional: true,
    description: 'Absent on the last page.',
    example: 'WyIyMDI2LTAxLTAxVDA4OjAwOjAwLjAwMFoiLCIwMTk4Il0',
  },
  total: { description: 'How many messages are parked, also those that are not shown.', example: 1 },
})
export class ParkedMessagesDto {}
