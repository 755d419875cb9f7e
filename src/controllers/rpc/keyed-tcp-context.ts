import { TcpContext } from '@nestjs/microservices';

type TcpContextArgs = ConstructorParameters<typeof TcpContext>[0];

/** The context of a message over TCP, with its API key. Undefined: it had none. */
export class KeyedTcpContext extends TcpContext {
  constructor(
    args: TcpContextArgs,
    readonly apiKey: unknown,
  ) {
    super(args);
  }
}
