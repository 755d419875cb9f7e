import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { RmqContext } from '@nestjs/microservices';
import type { PipelinePlace } from '../../services/intake/submission-pipeline.js';

type RmqContextArgs = ConstructorParameters<typeof RmqContext>[0];

/** The context of a message over RabbitMQ: its place among the messages that keep their order, and its sender. */
export class OrderedRmqContext extends RmqContext {
  constructor(
    args: RmqContextArgs,
    readonly place: PipelinePlace,
    /** Undefined: the message does not name the user. */
    readonly user: string | undefined,
  ) {
    super(args);
  }
}

/**
 * The parameter of a handler with the place of its message. Undefined over TCP, where the messages of a connection come
 * one after another and nothing is tried again.
 */
export const MessagePlace = createParamDecorator((_: unknown, context: ExecutionContext): PipelinePlace | undefined => {
  const carrier = context.switchToRpc().getContext<object>();
  return carrier instanceof OrderedRmqContext ? carrier.place : undefined;
});
